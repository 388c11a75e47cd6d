# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role ntp accepts, chronyd accepts, and keeps as it was written."""
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp import role
from hypothesis import event, given, strategies as st
from real_tools import CASES, accepted, run

HOSTS = st.sampled_from(["ntp.example.org", "a_b-c.d.", "10.0.0.1", "2001:db8::1", "fe80::1%eth0", "1.2.3", "-a.b",
                         "x" * 63 + ".org", "x" * 64 + ".org", "a b", "a\nb", "ntp1;id", "224.0.0.1", "::ffff:1.2.3.4"])
NETWORKS = st.sampled_from(["10.0.0.0/8", "10.0.0.0/255.0.0.0", "fd00:1::/64", "0.0.0.0/0", "::/0", "192.0.2.1",
                            "10.0.0.1/8", "fe80::/10", "10.0.0.0/0.255.255.255", "10.1/16", "2001:db8::/128"])
POLLS = st.one_of(st.none(), st.integers(2, 18))
SERVERS = st.lists(st.fixed_dictionaries({"host": HOSTS}, optional={
    "minpoll": POLLS, "maxpoll": POLLS, "iburst": st.booleans(), "prefer": st.booleans()}), max_size=3)
VARIABLES = st.fixed_dictionaries({}, optional={
    "pools": st.lists(HOSTS, max_size=2), "servers": SERVERS, "allow": st.lists(NETWORKS, max_size=3),
    "local_stratum": st.integers(-1, 16), "step_updates": st.integers(-2, 1001), "rtc_sync": st.booleans(),
    "step_threshold": st.one_of(st.floats(0, 90000), st.sampled_from([1, 0.001, 86400, 1e-5, "0.5", 1e22])),
    "extra_lines": st.lists(st.sampled_from(["port 0", "minsources 2", "! a comment"]), unique=True)})
DEBIAN = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "service_mgr": "systemd"}
CHRONY = role.DEBIAN["chrony"]


def check(settings: dict[str, Any]) -> tuple[list[str], tuple[str, ...]]:
    """Return the lines that are written for chronyd, and the command with which it checks them."""
    (file,) = role.files_of(settings, "chrony", CHRONY, role.pools_of(settings, DEBIAN), True).files
    return [line for line in file.content.splitlines() if line and line[0] not in "#!;%"], tuple(file.check)


@CASES
@given(chosen=VARIABLES)
def test_chronyd_accepts_what_the_role_accepts(chosen: dict[str, Any]) -> None:
    settings = accepted("ntp", chosen)
    event("refused" if settings is None else "accepted")
    if settings is not None:
        lines, argv = check(settings)
        done = run(*argv)
        assert (done.code, done.err) == (0, ""), lines
        assert done.out.splitlines() == lines


@pytest.mark.parametrize("line", ["server", "allow 10.0.0.0/255.0.0.0", "makestep 1", "local stratum 16", "nonsense"])
def test_chronyd_refuses_what_is_wrong(line: str) -> None:
    assert run("chronyd", "-p", line).code != 0
