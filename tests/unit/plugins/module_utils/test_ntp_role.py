# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role ntp changes on a host, from its variables and the gathered facts."""
from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp import role
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp.clock import NtpError
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures"
SELECTED = {"chrony": (FIXTURES / "chronyc/4.3-selected.txt").read_text(encoding="utf-8"),
            "ntpd": (FIXTURES / "ntpq/ntpsec-1.2.2-selected.txt").read_text(encoding="utf-8")}
DEBIAN = {"os_family": "Debian", "distribution": "Debian", "distribution_major_version": "12", "service_mgr": "systemd"}
UBUNTU = dict(DEBIAN, distribution="Ubuntu", distribution_major_version="22")
EL9 = dict(DEBIAN, os_family="RedHat", distribution="CentOS", distribution_major_version="9")
EL6 = dict(EL9, distribution_major_version="6", service_mgr="sysvinit")
FEDORA = dict(EL9, distribution="Fedora", distribution_major_version="40")
UNIT, CONFIG = "chrony.service", "/etc/chrony/chrony.conf"
RUNNING = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}


def settings(**changes: Any) -> dict[str, Any]:
    valid, problems = _roles.validate("ntp", {"ntp_" + name: value for name, value in changes.items()}, [])
    defaults = {name: option["default"] for name, option in _roles.options_of("ntp").items()}
    assert problems == []
    return {**defaults, **valid}


def bare(system: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the facts of a host that has no time daemon."""
    query = role.query({})
    nothing = {"kind": "", "content": hashlib.sha256(b"").hexdigest(), "mode": 0, "owner": "", "group": ""}
    return {"os": system or DEBIAN, "services": {}, "pending": {}, "mounts": {},
            "commands": dict.fromkeys(query["commands"], ""), "files": {path: nothing for path in query["files"]},
            "units": {name: {"Id": name, "LoadState": "not-found"} for name in query["units"]}}


def converged(system: dict[str, str], desired: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of that host after the plan was carried out."""
    facts = bare(system)
    plan = role.plan(desired, {"a": facts}, "a")
    for file in plan["files"]["files"]:
        facts["files"][file["dest"]] = {
            "kind": "file", "content": hashlib.sha256(file["content"].encode()).hexdigest(),
            "mode": 0o644, "owner": "root", "group": "root"}
    facts["units"][plan["service"] + ".service"] = dict(RUNNING, Id=plan["service"] + ".service")
    facts["services"][plan["service"]] = {"state": "running", "status": "enabled"}
    facts["commands"] = dict(SELECTED)
    return facts


def content(plan: dict[str, Any], number: int = 0) -> str:
    return plan["files"]["files"][number]["content"]


def test_a_bare_host_gets_chrony():
    plan = role.plan(settings(servers=[{"host": "192.168.69.254"}]), {"a": bare()}, "a")
    assert plan["changes"] == [
        "install chrony", "write the state file: chrony has to be reloaded", "write /etc/chrony/chrony.conf",
        "reload chrony", "remove the state file: chrony is reloaded",
        "start chrony and enable it at boot", "wait until chrony follows a source"]
    assert (plan["package"], plan["start"], plan["installed"], plan["synchronised"]) == ("chrony", True, False, False)
    assert "server 192.168.69.254 iburst\n" in content(plan)


@pytest.mark.parametrize("system", [DEBIAN, UBUNTU, EL9, EL6, FEDORA])
@pytest.mark.parametrize("desired", [{}, {"implementation": "ntp"}, {"local_stratum": 10, "allow": ["10.0.0.0/8"]}])
def test_a_converged_host_has_no_changes(system, desired):
    facts = converged(system, settings(**desired))
    assert role.plan(settings(**desired), {"a": facts}, "a")["changes"] == []


@pytest.mark.parametrize("damage, change", [
    (lambda facts: facts["units"][UNIT].update(ActiveState="inactive"), "start chrony and enable it at boot"),
    (lambda facts: facts["units"][UNIT].update(UnitFileState="disabled"), "start chrony and enable it at boot"),
    (lambda facts: facts["files"][CONFIG].update(content="other"), "replace " + CONFIG),
    (lambda facts: facts["files"][CONFIG].update(mode=0o600), "set owner and mode of " + CONFIG),
    (lambda facts: facts["pending"].update(chrony="/etc/chrony/chrony.conf\n"), "reload chrony"),
    (lambda facts: facts["commands"].update(chrony=""), "wait until chrony follows a source"),
    (lambda facts: facts["units"]["systemd-timesyncd.service"].update(RUNNING), "stop and disable systemd-timesyncd"),
])
def test_each_difference_is_a_change(damage, change):
    facts = converged(DEBIAN, settings())
    damage(facts)
    assert change in role.plan(settings(), {"a": facts}, "a")["changes"]


def test_an_unsynchronised_clock_is_no_change_where_it_is_not_required():
    facts = converged(DEBIAN, settings())
    facts["commands"] = dict.fromkeys(facts["commands"], "")
    assert role.plan(settings(require_sync=False), {"a": facts}, "a")["changes"] == []


HOUR = {"chrony": lambda text: re.sub(r"^((?:[^,]*,){4})[^,]*", r"\g<1>3600.5", text, count=1),
        "ntpd": lambda text: re.sub(r"\boffset=[\w.+-]+", "offset=-3600500.0", text, count=1)}


@pytest.mark.parametrize("system, implementation, command", [
    (DEBIAN, "chrony", "chronyc makestep"), (DEBIAN, "ntpsec", "systemctl restart ntpsec"),
    (EL6, "ntp", "service ntpd restart")])
def test_a_clock_that_is_far_off_is_set(system, implementation, command):
    desired = settings(implementation=implementation)
    facts = converged(system, desired)
    assert role.plan(desired, {"a": facts}, "a")["step"] == []
    facts["commands"] = {name: change(facts["commands"][name]) for name, change in HOUR.items()}
    plan = role.plan(desired, {"a": facts}, "a")
    assert (plan["changes"], " ".join(plan["step"])) == (["set the clock, which is 3600.5 s off"], command)
    assert role.plan(dict(desired, ntp_step_threshold=4000), {"a": facts}, "a")["step"] == []
    assert role.plan(dict(desired, ntp_require_sync=False), {"a": facts}, "a")["changes"] == []
    with pytest.raises(NtpError, match="CANNOT SYNCHRONISE THE CLOCK ON a: it is 3600.5 s off, .* " + command):
        role.plan(dict(desired, ntp_step_updates=0), {"a": facts}, "a")


@pytest.mark.parametrize("system, names", [
    (DEBIAN, ["chrony", "ntpsec"]), (UBUNTU, ["chrony", "ntpsec", "ntp"]), (EL9, ["chrony", "ntpsec"]),
    (EL6, ["ntp"]), (FEDORA, ["chrony", "ntpsec"]), (dict(DEBIAN, distribution_major_version="11"), [
        "chrony", "ntpsec", "ntp"]), (dict(DEBIAN, distribution_major_version="testing"), ["chrony", "ntpsec"])])
def test_platforms_offer_their_daemons(system, names):
    assert list(role.daemons_of(system)) == names


@pytest.mark.parametrize("name", ["SUSE", ""])
def test_other_platforms_are_refused(name):
    with pytest.raises(NtpError, match="expected one of the Debian or Red Hat family"):
        role.daemons_of({"os_family": "Suse", "distribution": name, "distribution_major_version": "15"})


@pytest.mark.parametrize("system, pool", [(DEBIAN, "2.debian.pool.ntp.org"), (UBUNTU, "ntp.ubuntu.com"),
                                          (EL9, "2.rhel.pool.ntp.org"), (FEDORA, "2.fedora.pool.ntp.org")])
def test_the_platforms_pool_is_for_those_who_name_no_source(system, pool):
    assert f" {pool} iburst\n" in content(role.plan(settings(), {"a": bare(system)}, "a"))
    assert pool not in content(role.plan(settings(pools=["x.org"]), {"a": bare(system)}, "a"))


def test_chrony_conf_has_what_the_variables_say():
    server = {"host": "a.org", "prefer": True, "minpoll": 4, "maxpoll": 6, "iburst": False}
    desired = settings(pools=["x.org"], servers=[server],
                       allow=["10.0.0.0/8", "192.168.0.0/255.255.0.0", "fd00::1"], local_stratum=10,
                       step_updates=-1, extra_lines=["log tracking"])
    plan = role.plan(desired, {"a": bare()}, "a")
    assert [line for line in content(plan).splitlines() if line and not line.startswith("#")] == [
        "pool x.org iburst", "server a.org prefer minpoll 4 maxpoll 6", "driftfile /var/lib/chrony/chrony.drift",
        "keyfile /etc/chrony/chrony.keys", "logdir /var/log/chrony", "maxupdateskew 100.0", "makestep 1.0 -1",
        "rtcsync", "allow 10.0.0.0/8", "allow 192.168.0.0/16", "allow fd00::1", "local stratum 10 orphan",
        "log tracking"]
    assert plan["files"]["files"][0]["check"][:3] == ["/usr/sbin/chronyd", "-p", "pool x.org iburst"]


def test_chrony_conf_leaves_out_what_is_switched_off():
    text = content(role.plan(settings(step_updates=0, rtc_sync=False), {"a": bare()}, "a"))
    assert "makestep" not in text and "rtcsync" not in text


@pytest.mark.parametrize("system, desired, lines, options", [
    (DEBIAN, {"allow": ["10.0.0.0/8", "fd00::/64"], "local_stratum": 9}, [
        "restrict source kod nomodify noquery limited", "restrict ::1",
        "restrict 10.0.0.0 mask 255.0.0.0 kod nomodify noquery limited",
        "restrict fd00:: mask ffff:ffff:ffff:ffff:: kod nomodify noquery limited", "tos orphan 9 orphanwait 20"],
     'NTPD_OPTS="-g -N"\nIGNORE_DHCP="yes"\nNTPSEC_CERTBOT_CERT_NAME=""\n'),
    (UBUNTU, {"step_updates": 0, "allow": ["fd00::/64"]}, [
        "restrict source kod nomodify noquery limited notrap", "restrict -6 ::1",
        "restrict -6 fd00:: mask ffff:ffff:ffff:ffff:: kod nomodify noquery limited notrap nopeer"],
     "NTPD_OPTS=''\nIGNORE_DHCP=\"yes\"\n"),
    (EL9, {"extra_lines": ["x y"]}, ["pool 2.rhel.pool.ntp.org iburst", "x y"], 'OPTIONS="-g"\n'),
    (EL6, {"local_stratum": 9}, ["restrict default kod nomodify noquery limited notrap nopeer",
                                 "restrict -6 default kod nomodify noquery limited notrap nopeer", "tos orphan 9"],
     'OPTIONS="-u ntp:ntp -p /var/run/ntpd.pid -g"\n')])
def test_ntp_conf_has_what_the_variables_say(system, desired, lines, options):
    name = "ntpsec" if "ntp" not in role.daemons_of(system) else "ntp"
    plan = role.plan(settings(implementation=name, **desired), {"a": bare(system)}, "a")
    assert [line for line in lines if line not in content(plan).splitlines()] == []
    assert content(plan, 1) == "# Ansible managed\n" + options


def test_hosts_without_systemd_restart_by_the_service_command():
    how = role.plan(settings(), {"a": bare(EL6)}, "a")["files"]["take_over"]
    assert (how["argv"], how["running"]) == (["service", "ntpd", "restart"], ["service", "ntpd", "status"])


@given(st.sampled_from([DEBIAN, UBUNTU, EL9, EL6, FEDORA]), st.integers(0, 15), st.integers(-1, 3), st.booleans(),
       st.lists(st.sampled_from(["a.org", "b.org", "10.0.0.1"]), unique=True))
def test_a_plan_that_was_carried_out_is_empty(system, stratum, updates, rtc, hosts):
    desired = settings(local_stratum=stratum, step_updates=updates, rtc_sync=rtc,
                       servers=[{"host": host} for host in hosts])
    assert role.plan(desired, {"a": converged(system, desired)}, "a")["changes"] == []
