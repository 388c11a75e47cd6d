"""The test harness: figures of steps, waiting, and the output of runs."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from lab.errors import LabError
from lab.harness import faults, scenario
from lab.paths import CHECKOUT

STEP = """
from lab.harness.steps import step

@step
def measured():
    return {"nodes": ("a", "b"), "by_number": {1: 2.5}}

def test_figures_are_what_json_holds(measured):
    assert measured == {"nodes": ["a", "b"], "by_number": {"1": 2.5}}
"""


def test_the_figures_of_a_step_are_kept_under_its_name(tmp_path):
    (tmp_path / "test_power_cut.py").write_text(STEP)
    argv = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"PYTHONPATH": str(CHECKOUT), "LINUXHA_LAB": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "power_cut: nodes ('a', 'b'), by_number {1: 2.5}" in done.stdout
    lab = SimpleNamespace(paths=SimpleNamespace(state=tmp_path))
    assert scenario.measured(lab) == {"power_cut": {"nodes": ["a", "b"], "by_number": {"1": 2.5}}}


def fake(conditions: list[bool]) -> SimpleNamespace:
    """Return a scenario whose condition changes, with a short timeout."""
    pair = SimpleNamespace(timeout=0.2, states=[], condition=lambda: conditions.pop(0) if conditions else False)
    pair.print_state = lambda: pair.states.append("printed")
    pair.wait_until = lambda what, condition, pause: scenario.Scenario.wait_until(pair, what, condition, 0.01)
    return pair


def test_a_condition_that_never_holds_is_an_error_with_the_state():
    pair = fake([])
    with pytest.raises(LabError, match=r"timeout after 0 s: it works"):
        scenario.Scenario.wait_until(pair, "it works", pair.condition, 0.01)
    assert pair.states == ["printed"]


def test_a_condition_must_hold_without_a_break():
    pair = fake([True, False, True, True, True])
    with pytest.raises(LabError):
        scenario.Scenario.wait_until_stable(pair, "it works", pair.condition, 5.0)
    since = scenario.Scenario.wait_until_stable(fake([]), "it works", lambda: True, 0.05)
    assert since > 0


def test_a_run_that_failed_is_an_error_with_the_output_of_all():
    good, bad = (subprocess.CompletedProcess([], code, f"output {code}", "") for code in (0, 2))
    scenario.require_success(good, good)
    with pytest.raises(LabError, match="(?s)output 0.*exit code 2:\noutput 2"):
        scenario.require_success(good, bad)


RECAP = "PLAY RECAP ***\na-1.x        : ok=9    changed={}    unreachable={}    failed={}    skipped=1    rescued=0\n"


def test_changes_are_counted_of_a_run_that_succeeded():
    assert scenario.changed_by(RECAP.format(3, 0, 0) + "b : ok=1  changed=0  unreachable=0  failed=0\n") == {
        "a-1.x": 3, "b": 0}


def test_changes_are_counted_in_colours():
    coloured = "\x1b[0;33ma\x1b[0m  : \x1b[0;32mok=3 \x1b[0m \x1b[0;33mchanged=2 \x1b[0m unreachable=0    failed=0\n"
    assert scenario.changed_by(coloured) == {"a": 2}
    with pytest.raises(LabError):
        scenario.changed_by(coloured.replace("unreachable=0    failed=0", "unreachable=0 \x1b[0;31mfailed=1\x1b[0m"))


@pytest.mark.parametrize("output", [RECAP.format(0, 0, 1), RECAP.format(0, 1, 0), "[ERROR]: no such variable\n", ""])
def test_the_changes_of_a_run_that_failed_are_not_0(output):
    with pytest.raises(LabError, match="a run whose changes are counted has failed"):
        scenario.changed_by(output)
    assert sum(scenario.changed_by(output, may_fail=True).values()) == 0


def test_the_first_error_of_a_run():
    assert scenario.first_error("ok\n[ERROR]: one\n[ERROR]: two\n") == "[ERROR]: one"
    assert scenario.first_error("ok\n") == ""


def test_bounds_are_made_of_the_longest_bare_switchover(capsys):
    outages = [3.0, 2.0]
    bounds = faults.HeartbeatBounds(lambda: outages.pop(0))
    bounds.measure()
    bounds.measure()
    assert bounds.takeover() == 10.0 + 5.0 + 2 * 3.0
    assert (bounds.boot(), bounds.ping_node_lost(), bounds.merge()) == (86.0, 31.0, 41.0)
    assert capsys.readouterr().out.startswith("a bare switchover: 3.0 s")
