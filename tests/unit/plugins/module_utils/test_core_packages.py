# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Newer packages come, none goes, configuration files stay, and a reboot is reported only for a reason."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import packages as core
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError, RemoveFile, WriteFile

SIMULATED = """\
Reading package lists...
The following packages will be upgraded:
  heartbeat libplumb2
Inst libplumb2 [1.0-1] (1.0-2 localhost [amd64]) [heartbeat:amd64 ]
Inst heartbeat [1:3.0.6-13+b2] (1:3.0.6-13+b2+lab1 localhost [amd64])
Inst linux-image-6.1.0-22-amd64 (6.1.94-1 Debian:12.6/stable [amd64])
Remv pacemaker [2.1.5-1]
Conf heartbeat (1:3.0.6-13+b2+lab1 localhost [amd64])
"""
SAID = """\
Setting up heartbeat (1:3.0.6-13+b2+lab1) ...

Configuration file '/etc/ha.d/README.config'
 ==> Modified (by you or by a script) since installation.
 ==> Package distributor has shipped an updated version.
 ==> Using current old file as you requested.
Installing new version of config file /etc/ha.d/harc ...
Configuration file '/etc/ha.d/new'
 ==> Modified (by you or by a script) since installation.
 ==> Using new file as you requested.
"""
DPKG = ("heartbeat\t1:3.0.6-13\tinstall\tinstalled\nold\t1\tdeinstall\tconfig-files\nodd line\n"
        "drbd-utils\t9.22\thold\tinstalled\n")
PACKAGES = core.parse_installed(DPKG)
NEWER = (core.Upgrade("heartbeat", "1:3.0.6-13", "1:3.0.6-14"),)
STATE = core.State(PACKAGES, NEWER, (), False, None, ())
ALL, HEARTBEAT = core.Desired(()), core.Desired(("heartbeat",))
LIBRARY = "7f00-7f01 r-xp 00000000 08:01 77 /usr/lib/libc.so.6"


def words(plan: core.Plan) -> list[str]:
    return [action.sentence for action in plan.actions]


def test_what_apt_would_do_is_read():
    upgrades, removals = core.parse_simulation(SIMULATED)
    assert [core.render_upgrade(upgrade) for upgrade in upgrades] == [
        "heartbeat 1:3.0.6-13+b2 -> 1:3.0.6-13+b2+lab1", "libplumb2 1.0-1 -> 1.0-2",
        "linux-image-6.1.0-22-amd64 6.1.94-1 (new)"]
    assert removals == ("pacemaker",)


def test_files_that_stay_are_named_and_others_are_not():
    assert core.kept_files(SAID) == ["/etc/ha.d/README.config"]
    assert core.kept_files(SAID.replace("\n", "\r\n")) == ["/etc/ha.d/README.config"]


def test_what_is_installed_is_known():
    assert sorted(PACKAGES.items()) == [("drbd-utils", core.Package("9.22", "hold", "installed")),
                                        ("heartbeat", core.Package("1:3.0.6-13", "install", "installed"))]
    assert core.asked_of(core.Desired(("heartbeat", "gone")), PACKAGES).names == ("heartbeat",)


def test_newer_packages_come_and_configuration_files_stay():
    plan = core.plan_upgrade(STATE, HEARTBEAT)
    assert words(plan) == ["ask for the lists of packages", "upgrade heartbeat 1:3.0.6-13 -> 1:3.0.6-14"]
    argv = plan.actions[-1].argv
    assert argv[-4:] == ("--no-remove", "--only-upgrade", "install", "heartbeat")
    assert "Dpkg::Options::=--force-confold" in argv and "DEBIAN_FRONTEND=noninteractive" in argv
    assert core.plan_upgrade(plan.predicted, HEARTBEAT).actions == ()
    assert core.describe(plan.predicted) == "drbd-utils 9.22\nheartbeat 1:3.0.6-14\n"
    assert core.plan_upgrade(STATE, ALL).actions[-1].argv[-3:] == ("--no-remove", "--with-new-pkgs", "upgrade")


def test_what_was_begun_is_ended_first():
    packages = {**PACKAGES, "heartbeat": core.Package("1:3.0.6-14", "install", "half-configured")}
    half = STATE._replace(packages=packages, journal=True)
    assert core.unfinished(half) == ["heartbeat", "dpkg's own records"]
    assert "heartbeat 1:3.0.6-14 half-configured\n" in core.describe(half)
    desired = core.asked_of(core.Desired((), finish_only=True), packages)
    assert desired.names == ("heartbeat",)
    plan = core.plan_upgrade(half._replace(upgrades=()), desired)
    assert words(plan) == ["finish what dpkg had begun: heartbeat, dpkg's own records", "mend what is still broken"]
    assert plan.actions[1].accepted == (0,)
    assert core.unfinished(plan.predicted) == []


def test_a_newer_version_may_end_what_the_broken_one_cannot():
    packages = {**PACKAGES, "heartbeat": core.Package("1:3.0.6-14", "install", "half-configured")}
    half = STATE._replace(packages=packages)
    desired = core.asked_of(core.Desired(("drbd-utils",), finish_only=True), packages)
    _configure, mend, _lists, upgrade = core.plan_upgrade(half, desired).actions
    assert mend.accepted == (0, 100) and upgrade.argv[-2:] == ("install", "heartbeat")


def test_packages_restart_nothing_where_they_must_not():
    plan = core.plan_upgrade(STATE, core.Desired((), restart=False))
    first, last = plan.actions[0], plan.actions[-1]
    assert isinstance(first, WriteFile) and (first.path, first.mode) == (core.POLICY, 0o755)
    assert "exit 101" in first.content and isinstance(last, RemoveFile)
    assert plan.predicted.policy is None


def test_a_policy_that_a_killed_run_left_goes_and_that_of_others_stays():
    left = STATE._replace(upgrades=(), policy=core.POLICY_TEXT)
    plan = core.plan_upgrade(left, ALL)
    assert words(plan) == ["let packages restart their services again"]
    assert core.plan_upgrade(plan.predicted, ALL).actions == ()
    others = STATE._replace(policy="#!/bin/sh\nexit 0\n")
    plan = core.plan_upgrade(others, core.Desired((), restart=False))
    assert not [action for action in plan.actions if isinstance(action, (WriteFile, RemoveFile))]


def test_arguments_are_validated():
    with pytest.raises(HaError, match=r"names: 'Heart beat'; expected names of Debian packages"):
        core.check_desired(core.Desired(("heartbeat", "Heart beat")))
    core.check_desired(HEARTBEAT)
    with pytest.raises(HaError, match="would remove pacemaker; expected to keep every package"):
        core.plan_upgrade(STATE._replace(removals=("pacemaker",)), ALL)
    with pytest.raises(HaError, match="drbd-utils is held at its version; .*apt-mark unhold drbd-utils"):
        core.plan_upgrade(STATE, core.Desired(("drbd-utils",)))


def test_what_is_held_is_reported():
    assert core.report(STATE, ALL) == {"installed": [], "held": ["drbd-utils"], "unfinished": [], "reboot": []}
    assert core.report(STATE, HEARTBEAT)["held"] == [] and core.report(STATE, HEARTBEAT)["installed"] == ["heartbeat"]


def installed(*names: str, version: str = "6.1.94-1") -> dict[str, core.Package]:
    return {name: core.Package(version, "install", "installed") for name in names}


@pytest.mark.parametrize(("release", "banner", "packages", "told"), [
    ("6.1.0-9-amd64", "", installed("linux-image-6.1.0-9-amd64", "linux-image-6.1.0-22-amd64"),
     ["the kernel 6.1.0-9-amd64 runs, 6.1.0-22-amd64 is installed"]),
    ("6.12.48+deb13-amd64", "", installed("linux-image-6.12.57+deb13-amd64"),
     ["the kernel 6.12.48+deb13-amd64 runs, 6.12.57+deb13-amd64 is installed"]),
    ("6.1.0-22-amd64", "#1 SMP Debian 6.1.90-1 (2024)", installed("linux-image-6.1.0-22-amd64"),
     ["the kernel 6.1.0-22-amd64 of 6.1.90-1 runs, that of 6.1.94-1 is installed"]),
    ("6.1.0-22-amd64", "#1 SMP Debian 6.1.94-1 (2024)", installed("linux-image-6.1.0-22-amd64"), []),
    ("6.1.0-22-amd64", "", installed("linux-image-6.1.0-22-amd64", "linux-image-6.1.0-30-cloud-amd64"), []),
    ("7.2-um1", "", installed("linux-image-6.1.0-22-amd64"), []),   # an administrator's own kernel
    ("7.2.0", "", installed("linux-image-6.1.0-22-amd64"), []),
    ("6.1.0-23-amd64", "", installed("linux-image-6.1.0-22-amd64"), []),
])
def test_a_newer_kernel_is_a_reason_to_boot(release, banner, packages, told):
    assert list(core.reboot_reasons(None, release, banner, packages, (), 1)) == told


def test_a_package_that_asks_for_it_is_a_reason_to_boot():
    assert core.reboot_reasons("", "x", "", {}, (), 1) == ("/run/reboot-required is there",)
    assert core.reboot_reasons("libc6\ndbus\nlibc6\n", "x", "", {}, (), 1) == (
        "/run/reboot-required is there, for dbus, libc6",)


def test_who_uses_replaced_files_is_a_reason_to_boot_but_not_this_session():
    gone = LIBRARY + " (deleted)\n"
    processes = [
        core.Process(10, 1, "corosync", LIBRARY.replace("libc", "libqb") + " (deleted)\n" + gone),
        core.Process(11, 1, "chronyd", LIBRARY + "\n"),
        core.Process(12, 1, "tgtd", "7f00-7f01 rw-s 00000000 00:01 1 /dev/zero (deleted)\n"),
        core.Process(20, 1, "sshd", gone), core.Process(21, 20, "sh", gone), core.Process(22, 21, "python3", gone)]
    assert core.reboot_reasons(None, "x", "", {}, processes, 22) == ("corosync still uses the old /usr/lib/libqb.so.6",)
