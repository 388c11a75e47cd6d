# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of the house, checked on the files themselves."""
from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MODULE_UTILS = ROOT / "plugins/module_utils"
PACKAGE = "ansible_collections.linuxha.cluster.plugins.module_utils"

# Which room stands on which floor. A room may use the rooms below it, never one beside or above it.
FLOORS = (
    {"_plan"},
    {"_agents", "_apache", "_authkeys", "_cib", "_clustat", "_cman_look", "_conf_xml", "_config_archive",
     "_config_files", "_crm", "_disk_image", "_drbd_devices", "_drbd_settings", "_facts", "_fields", "_ipvs", "_iscsi",
     "_ldirectord", "_look", "_lvm_conf", "_ntp", "_packages", "_qdisk_format", "_reading", "_status"},
    {"_clustat_corosync", "_clustat_rgmanager", "_cluster", "_cman_changes", "_cman_words", "_drbd", "_file_look",
     "_groups", "_ipvs_kernel", "_ipvs_wanted", "_lvm", "_lvs_realserver", "_lvs_table", "_qdisk",
     "_status_clusters", "_status_declared", "_status_of_hosts", "_status_text"},
    {"_clustat_pacemaker", "_clvm", "_cman_host", "_cman_votes", "_crm_words", "_drbd_grow", "_drbd_plan",
     "_heartbeat_words", "_ipvs_plan", "_lvm_plan", "_lvm_setup", "_lvs_director", "_rm", "_sbd"},
    {"_cluster_conf", "_clusvcadm", "_cman_rules", "_corosync_conf", "_crm_groups", "_haresources", "_heartbeat",
     "_status_host", "_status_of_clusters"},
    {"_clustat_heartbeat", "_cman_plan", "_crm_fencing", "_pacemaker_rules"},
    {"_crm_text", "_pacemaker_plan", "_rhcs_cman"},
    {"_crm_plan"},
)
MACHINERY = {"_archives", "_runner", "_reconcile", "_images"}  # what applies and reports; no room may use it
# How cluster managers are read and driven, where modules share it or one file would be too long. They are part of the
# front doors.
ENGINES = {"_clustat_reader", "_drbd_host", "_engine_heartbeat", "_engine_pacemaker", "_engine_rgmanager",
           "_host_look"}
LONGEST_FUNCTION = 40
LONGEST_FILE = 400
# Standard library modules that reach outside the process. Only the workshop (_runner) may.
REACHING_OUT = {"subprocess", "socket", "shutil", "tempfile", "multiprocessing", "urllib", "http", "os"}
# Rooms that look at files: at one that the user names (heartbeat_secret_file), and at those that modules write.
LOOKS_AT_FILES = {"_heartbeat", "_file_look"}

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
UTILS = sorted(path.stem for path in MODULE_UTILS.glob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
MANAGED_NODE = sorted(MODULE_UTILS.glob("*.py")) + sorted((ROOT / "plugins/modules").glob("*.py"))
TASK_FILES = sorted(path for part in ("tasks", "handlers") for path in ROOT.glob(f"roles/*/{part}/*.yml"))
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml")) + sorted(ROOT.glob("site.yml"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# --- rooms ----------------------------------------------------------------------------------------------------------

def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports; `from package import _room` counts as package._room."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == PACKAGE else {module}
    return found


def rooms_used_by(room: str) -> set[str]:
    return {name.split(".")[-1] for name in imported_by(MODULE_UTILS / f"{room}.py") if name.startswith(PACKAGE)}


@pytest.mark.parametrize("room", UTILS)
def test_every_room_has_its_place_in_the_house(room):
    assert room in (MACHINERY | ENGINES).union(*FLOORS), f"{room}.py: add it to FLOORS of {Path(__file__).name}"


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_rooms_use_only_the_rooms_below_them(floor):
    below = set().union(*FLOORS[:floor])
    wrong = {room: sorted(rooms_used_by(room) - below) for room in FLOORS[floor] if room in UTILS}
    assert {room: used for room, used in wrong.items() if used} == {}


@pytest.mark.parametrize("room", sorted(MACHINERY))
def test_machinery_knows_no_tool(room):
    assert rooms_used_by(room) <= {"_plan"}


@pytest.mark.parametrize("room", UTILS)
def test_rooms_import_the_standard_library_only(room):
    others = {name.split(".")[0] for name in imported_by(MODULE_UTILS / f"{room}.py") if not name.startswith(PACKAGE)}
    assert others <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("engine", sorted(ENGINES - {"_host_look"}))  # which asks the others
def test_engines_use_rooms_and_no_other_engine(engine):
    assert rooms_used_by(engine) <= set().union(*FLOORS)


@pytest.mark.parametrize("room", sorted(set(UTILS) - LOOKS_AT_FILES - ENGINES - {"_archives", "_runner", "_images"}))
def test_only_the_workshop_reaches_outside(room):
    tree = tree_of(MODULE_UTILS / f"{room}.py")
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call)
              and isinstance(node.func, ast.Name) and node.func.id in ("open", "exec", "eval")]
    imported = {name.split(".")[0] for name in imported_by(MODULE_UTILS / f"{room}.py")} & REACHING_OUT
    assert (sorted(imported), opened) == ([], [])


FRONT_DOORS = sorted((ROOT / "plugins/modules").glob("*.py")) + [MODULE_UTILS / f"{name}.py" for name in ENGINES]


@pytest.mark.parametrize("path", FRONT_DOORS, ids=name_of)
def test_front_doors_run_programs_through_the_workshop_only(path):
    called = {node.attr for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute)}
    assert called & {"run_command", "Popen", "check_output", "check_call", "system"} == set()


@pytest.mark.parametrize("path", MANAGED_NODE, ids=name_of)
def test_what_runs_on_managed_nodes_is_python_3_6(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 6))
    newer = {"dataclasses", "__future__"} & {(name or "").split(".")[0] for name in imported_by(path)}
    assert newer == set()
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
                and re.search(r"\{[^{}]*[\w)\]]=\}", ast.get_source_segment(text, node) or "")]


@pytest.mark.parametrize("path", PLUGINS, ids=name_of)
def test_functions_and_files_are_short(path):
    tree = tree_of(path)
    documentation = sum(lines_of(node) for node in tree.body if isinstance(node, ast.Assign)
                        and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
    assert len(path.read_text(encoding="utf-8").splitlines()) - documentation <= LONGEST_FILE
    long = {node.name: code_lines_of(node) for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and code_lines_of(node) > LONGEST_FUNCTION}
    assert long == {}


def lines_of(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def code_lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return lines_of(node) - (lines_of(node.body[0]) if ast.get_docstring(node) else 0)


# --- roles ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("file", ["README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml",
                                  "tasks/main.yml", "tasks/validate.yml"])
def test_every_role_has_the_same_furniture(role, file):
    assert (ROOT / "roles" / role / file).is_file()


@pytest.mark.parametrize("role", ROLES)
def test_variables_are_checked_before_anything_else(role):
    tasks = load(ROOT / "roles" / role / "tasks/main.yml")
    if tasks[-1].get("ansible.builtin.include_tasks") == "build.yml":  # all of it, where there is anything to do
        assert {name for task in tasks[:-1] for name in task} <= {"name", "ansible.builtin.set_fact", "when", "tags"}
        tasks = load(ROOT / "roles" / role / "tasks/build.yml")
    assert tasks[0].get("ansible.builtin.import_tasks") == "validate.yml"


def options_of(role: str) -> dict[str, Any]:
    return load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def defaults_of(role: str) -> dict[str, Any]:
    return load(ROOT / "roles" / role / "defaults/main.yml") or {}


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_has_a_default_and_a_description_and_nothing_else_has(role):
    optional = {name for name, option in options_of(role).items() if not option.get("required")}
    assert set(defaults_of(role)) == optional


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_what_the_descriptions_say(role):
    defaults, options = defaults_of(role), options_of(role)
    computed = {name for name, value in defaults.items() if isinstance(value, str) and "{{" in value}
    documented = {name: options[name].get("default") for name in defaults}
    assert {name: (value, documented[name]) for name, value in defaults.items()
            if name not in computed and repr(value) != repr(documented[name])} == {}
    # a computed default cannot be written down in the specification, which is read before facts and variables
    assert {name for name in computed if options[name].get("default", defaults[name]) != defaults[name]} == set()


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_roles_name(role):
    assert [name for name in options_of(role) if not name.startswith(f"{role}_")] == []
    internal = {name for path in (ROOT / "roles" / role / "vars").glob("*.yml") for name in load(path) or {}}
    assert [name for name in sorted(internal) if not name.startswith(f"__{role}_")] == []


def undescribed(options: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, option in options.items():
        if not option.get("description") or not option.get("type"):
            yield prefix + name
        yield from undescribed(option.get("options") or {}, f"{prefix}{name}.")


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_a_type_and_a_description(role):
    assert list(undescribed(options_of(role))) == []


@pytest.mark.parametrize("role", ROLES)
def test_readme_names_every_variable(role):
    text = (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    assert [name for name in options_of(role) if name not in text] == []


# --- tasks ----------------------------------------------------------------------------------------------------------

def tasks_in(tasks: list[dict[str, Any]] | None) -> Iterator[dict[str, Any]]:
    for task in tasks or []:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_in(task.get(part))


def all_tasks(path: Path) -> list[dict[str, Any]]:
    content = load(path) or []
    if path in PLAYBOOKS:
        parts = ("pre_tasks", "tasks", "post_tasks", "handlers")
        return [task for play in content for part in parts for task in tasks_in(play.get(part))]
    return list(tasks_in(content))


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name_of)
def test_every_task_has_a_name(path):
    assert [task for task in all_tasks(path) if not task.get("name")] == []


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name_of)
def test_no_task_hides_an_error_or_goes_through_a_shell(path):
    wrong = [task.get("name") for task in all_tasks(path)
             if "ignore_errors" in task or task.get("failed_when") in (False, "false")
             or {"shell", "ansible.builtin.shell", "ansible.legacy.shell", "raw", "ansible.builtin.raw"} & set(task)]
    assert wrong == []


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name_of)
def test_modes_are_quoted(path):
    assert re.findall(r"^\s*mode: *[0-9].*$", path.read_text(encoding="utf-8"), re.MULTILINE) == []
