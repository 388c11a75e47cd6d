"""The molecule scenarios: every step that a sequence names exists, and every step is in a sequence."""

import pytest
import yaml

from lab.paths import CHECKOUT

MOLECULE = CHECKOUT / "molecule"
SCENARIOS = sorted(file.parent.name for file in MOLECULE.glob("*/molecule.yml"))
STEPS = sorted({file.parent for file in MOLECULE.glob("*/*/test_*.py")})


def folders_of(scenario: str) -> list:
    """Return the folders of the steps of a scenario, in order."""
    sequence = yaml.safe_load((MOLECULE / scenario / "molecule.yml").read_text())["scenario"]["test_sequence"]
    names = [action.removeprefix("verify ") if " " in action else "tests" for action in sequence if "verify" in action]
    return [(MOLECULE / scenario / name).resolve() for name in names]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_step_of_a_sequence_exists(scenario):
    assert [folder for folder in folders_of(scenario) if folder not in STEPS] == []


@pytest.mark.parametrize("step", STEPS, ids=lambda folder: str(folder.relative_to(MOLECULE)))
def test_every_step_is_in_a_sequence(step):
    assert any(step in folders_of(scenario) for scenario in SCENARIOS)


def test_a_step_has_one_test_module_of_its_name():
    own = {folder: [file.name for file in folder.glob("*.py")] for folder in STEPS if folder.name != "tests"}
    assert {str(folder): files for folder, files in own.items() if files != [f"test_{folder.name}.py"]} == {}


def test_no_scenario_is_made_of_symlinks():
    assert [str(path) for path in MOLECULE.rglob("*") if path.is_symlink()] == []
