# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What time daemons print, and which of them keeps the time of a host."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._ntp import clock as ntp
from hypothesis import given, strategies as st

FIXTURES = Path(__file__).parents[2] / "fixtures"
DAEMONS = {"chrony": "chronyd", "ntp": "ntpd"}
RIVALS = ["systemd-timesyncd", "openntpd"]


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def blocks(name: str) -> dict[str, dict[str, str]]:
    """Return the recorded properties of units, by a name of their own each."""
    parts = re.split(r"\n\s*\n", recorded(name).strip())
    return {f"asked{number}.service": dict(line.split("=", 1) for line in part.splitlines())
            for number, part in enumerate(parts)}


def unit(name: str, active: bool = False, enabled: bool = False, installed: bool = True) -> ntp.Unit:
    return ntp.Unit(name=name, installed=installed, active=active, enabled=enabled)


# --- which daemon ---------------------------------------------------------------------------------------------------

def test_units_are_read_once_each_under_their_real_name():
    units = {one.name: one for one in ntp.units_from(blocks("systemctl/252-chrony-and-ntpd.txt"))}
    assert units == {"chronyd": unit("chronyd"), "ntpd": unit("ntpd", active=True, enabled=True),
                     "systemd-timesyncd": unit("systemd-timesyncd", installed=False)}


def test_text_that_names_no_unit_gives_no_unit():
    assert ntp.units_from({}) == []


def test_services_are_read_from_the_fact():
    services = {"ntpd": {"state": "running", "status": "enabled"},
                "chronyd.service": {"state": "stopped", "status": "not-found"}}
    assert ntp.parse_services(services) == [unit("ntpd", True, True), unit("chronyd", installed=False)]


def test_bare_host_gets_the_default_daemon_and_loses_timesyncd():
    units = ntp.units_from(blocks("systemctl/252-nothing.txt"))
    choice = ntp.plan_daemon("auto", units, {"chrony": "chrony", "ntpsec": "ntpsec"}, RIVALS)
    assert choice == ntp.Choice("chrony", installed=False, ready=False, others=("systemd-timesyncd",))


def test_running_daemon_is_kept_rather_than_one_only_installed():
    units = ntp.units_from(blocks("systemctl/252-chrony-and-ntpd.txt"))
    assert ntp.plan_daemon("auto", units, DAEMONS, RIVALS) == ntp.Choice("ntp", True, True, ())


def test_enabled_daemon_is_kept_rather_than_one_only_installed():
    units = [unit("chronyd"), unit("ntpd", enabled=True)]
    assert ntp.plan_daemon("auto", units, DAEMONS, RIVALS).daemon == "ntp"


def test_users_choice_wins_and_the_other_daemon_is_stopped():
    choice = ntp.plan_daemon("chrony", [unit("ntpd", True, True)], DAEMONS, RIVALS)
    assert choice == ntp.Choice("chrony", False, False, ("ntpd",))


def test_daemon_that_the_platform_does_not_offer_is_refused_by_the_variables_name():
    with pytest.raises(ntp.NtpError, match="^ntp_implementation: ntpsec is not valid; expected .* of chrony, ntp,"):
        ntp.plan_daemon("ntpsec", [], DAEMONS, RIVALS)


@given(st.lists(st.builds(ntp.Unit, name=st.sampled_from(["chronyd", "ntpd"] + RIVALS), installed=st.booleans(),
                          active=st.booleans(), enabled=st.booleans()), unique_by=lambda one: one.name))
def test_once_the_choice_is_made_true_nothing_is_left_to_do(units):
    choice = ntp.plan_daemon("auto", units, DAEMONS, RIVALS)
    converged = [one._replace(active=False, enabled=False) for one in units if one.name in choice.others]
    converged += [one for one in units if one.name not in choice.others and one.name != DAEMONS[choice.daemon]]
    converged.append(unit(DAEMONS[choice.daemon], True, True))
    assert ntp.plan_daemon("auto", converged, DAEMONS, RIVALS) == ntp.Choice(choice.daemon, True, True, ())


# --- what the daemon says -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("daemon, fixture, answered, source, states", [
    ("chrony", "chronyc/4.3-starting.txt", True, "", ["unreachable or not yet measured"] * 2),
    ("chrony", "chronyc/4.3-selected.txt", True, "192.168.69.254", ["selected", "unreachable or not yet measured"]),
    ("chrony", "chronyc/4.3-own-clock.txt", True, ntp.OWN_CLOCK, ["unreachable or not yet measured"]),
    ("chrony", "chronyc/4.3-no-daemon.txt", False, "", []),
    ("ntpsec", "ntpq/ntpsec-1.2.2-starting.txt", True, "", ["unreachable or not yet measured"] * 3),
    ("ntpsec", "ntpq/ntpsec-1.2.2-selected.txt", True, "192.168.69.254",
     ["selected"] + ["unreachable or not yet measured"] * 2),
    ("ntpsec", "ntpq/ntpsec-1.2.2-own-clock.txt", True, ntp.OWN_CLOCK, ["unreachable or not yet measured"] * 2),
    ("ntp", "ntpq/ntpsec-1.2.2-no-daemon.txt", False, "", []),
])
def test_recorded_answers_are_understood(daemon, fixture, answered, source, states):
    clock = ntp.PARSERS[daemon](recorded(fixture))
    assert (clock.answered, clock.source, [one.state for one in clock.sources]) == (answered, source, states)


def test_reach_is_the_number_of_answered_questions():
    clock = ntp.parse_chronyc(recorded("chronyc/4.3-selected.txt"))
    assert clock.sources[0] == ntp.Source("192.168.69.254", "selected", 3, 4)


def test_selected_source_does_not_count_before_ntpd_has_set_the_clock():
    text = recorded("ntpq/ntpsec-1.2.2-selected.txt").replace("leap=00", "leap=11")
    assert ntp.parse_ntpq(text).source == ""


@pytest.mark.parametrize("fixture, sentence", [
    ("selected", "the clock follows 192.168.69.254"),
    ("starting", "no source is selected; tried: 192.168.69.254: unreachable or not yet measured, stratum 3, "
                 "answered 1 of the last 8 questions; 192.168.69.253: unreachable or not yet measured, stratum 0, "
                 "answered 0 of the last 8 questions"),
    ("no-daemon", "the time daemon does not answer"),
])
def test_state_of_the_clock_is_said_in_one_sentence(fixture, sentence):
    assert ntp.render_clock(ntp.parse_chronyc(recorded("chronyc/4.3-%s.txt" % fixture))) == sentence


def test_daemon_without_sources_is_said_so():
    assert "knows no source" in ntp.render_clock(ntp.Clock(True, "", ()))


def test_a_clock_that_is_off_is_said_to_be():
    assert ntp.render_clock(ntp.Clock(True, "a.org", (), -3600.0)) == "the clock follows a.org and is 3600.0 s off"
    assert ntp.is_far_off(ntp.Clock(True, "a.org", (), -3600.0), 1) and not ntp.is_far_off(ntp.Clock(True, "", ()), 1)


@pytest.mark.parametrize(("name", "offset"), [
    ("chronyc/4.3-selected", -0.000002144), ("chronyc/4.3-own-clock", 0.0), ("chronyc/4.3-starting", None),
    ("chronyc/4.3-no-daemon", None), ("ntpq/ntpsec-1.2.2-selected", 0.000058181), ("ntpq/ntpsec-1.2.2-starting", None)])
def test_the_offset_of_the_clock_is_in_seconds(name, offset):
    parser = ntp.PARSERS["chrony" if name.startswith("chronyc") else "ntp"]
    found = parser((FIXTURES / (name + ".txt")).read_text(encoding="utf-8")).offset
    assert found == (None if offset is None else pytest.approx(offset))
