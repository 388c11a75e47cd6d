"""The molecule scenarios: every step that a sequence names exists, and every step is in a sequence."""

import ast
import re

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


def tasks_named_by_steps() -> set[str]:
    """Return the names of tasks, or parts of them, in which steps kill a run or whose output they read."""
    found: set[str] = set()
    for file in MOLECULE.glob("*/*/test_*.py"):
        tree = ast.parse(file.read_text())
        texts = [each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)]
        found |= {name for text in texts if isinstance(text, str) for name in re.findall(r"TASK \[([^]]+)", text)}
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("KILLED_AT", "WRITE", "REPORTS"):
                values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
                found |= {each.value for value in values for each in ast.walk(value) if isinstance(each, ast.Constant)}
    return {name for name in found if isinstance(name, str)}


@pytest.mark.parametrize("name", sorted(tasks_named_by_steps()))
def test_every_task_that_a_step_names_exists(name):
    files = [*CHECKOUT.glob("playbooks/**/*.yml"), *CHECKOUT.glob("roles/**/*.yml")]
    assert any(re.search(rf"- name: .*{re.escape(name)}", file.read_text()) for file in files)
