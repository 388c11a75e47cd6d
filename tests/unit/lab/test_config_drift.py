"""Daemons that run with other values than those in their files are reported."""

import re

import pytest

from lab.harness import config_drift

PAIR = {
    "cat /etc/ha.d/ha.cf": "keepalive 1\ndeadtime 10\nucast eth0 192.0.2.1\nlogfacility local0\n",
    "cl_status": "".join(
        f"{name} {value}\n" for name, value in zip(config_drift.REPORTED, (1, 4, 10, 20, 694, "local0", 0), strict=True)
    ),
    "systemctl is-active": "active\n",
    "ps -o": "5\n5\n",
    "cat /etc/chrony/chrony.conf": "server 192.0.2.9 iburst\n",
    "chronyc": "^,*,192.0.2.9,3,6\n",
}


class Machine:
    """A fake machine: replies by a part of the command."""

    def __init__(self, **other: str) -> None:
        self.replies = {**PAIR, **other}

    def ssh(self, _node, *command, check=True):
        line = " ".join(command)
        return next(reply for key, reply in self.replies.items() if key in line)


def test_daemons_that_run_with_the_values_of_their_files_have_no_drift():
    assert config_drift.of_node(Machine(), "a") == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"cat /etc/ha.d/ha.cf": "keepalive 2\n"}, "heartbeat runs with keepalive 1, its file has 2"),
        ({"ps -o": "9\n5\n"}, "apache's site is 5 s old, its newest child 9 s"),
        ({"chronyc": ""}, r"chrony uses \[\], its file has \['192.0.2.9'\]"),
    ],
)
def test_a_daemon_that_runs_with_other_values_is_reported(other, message):
    (found,) = config_drift.of_node(Machine(**other), "a")
    assert re.search(message, found)


def test_machines_without_heartbeat_or_apache_are_compared_in_the_rest():
    assert config_drift.of_node(Machine(**{"cat /etc/ha.d/ha.cf": "", "systemctl is-active": "inactive\n"}), "a") == []
