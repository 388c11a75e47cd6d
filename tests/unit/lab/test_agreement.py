"""Daemons that run with something else than their files say are told of."""

import re

import pytest

from lab import agreement

PAIR = {
    "cat /etc/ha.d/ha.cf": "keepalive 1\ndeadtime 10\nucast eth0 192.0.2.1\nlogfacility local0\n",
    "cl_status": "".join(
        f"{name} {value}\n" for name, value in zip(agreement.TOLD, (1, 4, 10, 20, 694, "local0", 0), strict=True)
    ),
    "systemctl is-active": "active\n",
    "ps -o": "5\n5\n",
    "cat /etc/chrony/chrony.conf": "server 192.0.2.9 iburst\n",
    "chronyc": "^,*,192.0.2.9,3,6\n",
}


class Machine:
    """A machine without one: answers by the beginning of what it is asked, or something in it."""

    def __init__(self, **other: str) -> None:
        self.answers = {**PAIR, **other}

    def ssh(self, _node, *command, check=True):
        asked = " ".join(command)
        return next(answer for key, answer in self.answers.items() if key in asked)


def test_daemons_that_run_what_their_files_say_agree():
    assert agreement.of_daemons(Machine(), "a") == []


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"cat /etc/ha.d/ha.cf": "keepalive 2\n"}, "heartbeat runs with keepalive 1, its file says 2"),
        ({"ps -o": "9\n5\n"}, "apache's site is 5 s old, its newest child 9 s"),
        ({"chronyc": ""}, r"chrony asks \[\], its file says \['192.0.2.9'\]"),
    ],
)
def test_a_daemon_that_runs_with_something_else_is_told(other, told):
    (found,) = agreement.of_daemons(Machine(**other), "a")
    assert re.search(told, found)


def test_machines_without_heartbeat_or_apache_have_less_to_agree():
    assert agreement.of_daemons(Machine(**{"cat /etc/ha.d/ha.cf": "", "systemctl is-active": "inactive\n"}), "a") == []
