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

# Which package may import which, beside itself. `_core` knows no tool, `_model` no engine, a domain no other domain.
PACKAGES = {
    "_core": set(),
    "_model": {"_core"},
    "_apache": {"_core", "_model"},
    "_backup": {"_core", "_model"},
    "_cman": {"_core", "_model"},
    "_drbd": {"_core", "_model"},
    "_heartbeat": {"_core", "_model"},
    "_lvs": {"_core", "_model"},
    "_ntp": {"_core", "_model"},
    "_pacemaker": {"_core", "_model"},
    "_storage": {"_core", "_model"},
    "_lint": {"_cman", "_core", "_drbd", "_heartbeat", "_lvs", "_model"},
    "_status": {"_apache", "_backup", "_cman", "_core", "_drbd", "_heartbeat", "_lvs", "_model", "_ntp", "_pacemaker",
                "_storage"},
}
# Files that run programs (through the runner) or read and write files. Nothing else reaches outside the process.
REACHES_OUTSIDE = {
    "_backup/archive", "_backup/disk_copy", "_cman/engine", "_core/device_reader", "_core/file_state",
    "_core/file_writer", "_core/runner", "_drbd/host", "_heartbeat/engine", "_heartbeat/settings",
    "_lvs/keepalived_host", "_pacemaker/engine", "_status/cluster_reader", "_status/groups_reader",
    "_status/host_facts", "_status/host_reader", "_storage/iscsi_host", "_storage/lvm_host"}
LONGEST_FUNCTION = 40
LONGEST_FILE = 400
# Standard library modules that reach outside the process.
REACHING_OUT = {"subprocess", "socket", "shutil", "tempfile", "multiprocessing", "urllib", "http", "os"}

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
UTILS = sorted(str(path.relative_to(MODULE_UTILS).with_suffix("")) for path in MODULE_UTILS.rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
MANAGED_NODE = sorted(MODULE_UTILS.rglob("*.py")) + sorted((ROOT / "plugins/modules").glob("*.py"))
TASK_FILES = sorted(path for part in ("roles/*/tasks", "roles/*/handlers", "playbooks/tasks")
                    for path in ROOT.glob(f"{part}/*.yml"))
# Roles decide in Python and keep a few one-line values in Jinja.
MOST_PRIVATE_VARIABLES = 10
PLAYBOOKS = sorted(path for part in ("playbooks", "playbooks/parts", ".") for path in ROOT.glob(f"{part}/*.yml")
                   if path.name != "galaxy.yml")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# --- packages -------------------------------------------------------------------------------------------------------

def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports, those of the collection by their place: "_core.plan"."""
    found = set()
    here = [*path.relative_to(MODULE_UTILS).parent.parts] if path.is_relative_to(MODULE_UTILS) else ["modules"]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = [part for part in (node.module or "").split(".") if part]
            if node.level:
                module = here[:len(here) + 1 - node.level] + [part for part in module if part != "module_utils"]
            names = {".".join([*module, alias.name]) for alias in node.names}
            found |= names if len(module) < 2 else {".".join(module)}
    return found


def packages_used_by(package: str) -> set[str]:
    return {name.split(".")[0] for path in (MODULE_UTILS / package).glob("*.py") for name in imported_by(path)
            if name.startswith("_")} - {package, "__future__"}


def test_module_utils_holds_packages_only():
    assert [path.name for path in MODULE_UTILS.iterdir() if path.suffix == ".py"] == []
    assert {path.name for path in MODULE_UTILS.iterdir() if path.name != "__pycache__"} == set(PACKAGES)


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_packages_import_only_what_they_may(package):
    assert packages_used_by(package) - PACKAGES[package] == set()


def test_a_forbidden_import_would_be_found(tmp_path, monkeypatch):
    (tmp_path / "_lvs").mkdir()
    (tmp_path / "_lvs/wrong.py").write_text("from .._drbd import plan\nfrom ..  import _cman\nfrom . import ipvs\n")
    monkeypatch.setitem(globals(), "MODULE_UTILS", tmp_path)
    assert packages_used_by("_lvs") == {"_drbd", "_cman"}


@pytest.mark.parametrize("path", PLUGINS, ids=name_of)
def test_imports_inside_the_collection_are_relative(path):
    assert [name for name in imported_by(path) if name.startswith("ansible_collections.linuxha")] == []


@pytest.mark.parametrize("name", UTILS)
def test_module_utils_import_the_standard_library_only(name):
    others = {module.split(".")[0] for module in imported_by(MODULE_UTILS / f"{name}.py")}
    assert others <= set(sys.stdlib_module_names) | set(PACKAGES)


@pytest.mark.parametrize("name", sorted(set(UTILS) - REACHES_OUTSIDE))
def test_only_the_runner_and_few_others_reach_outside(name):
    tree = tree_of(MODULE_UTILS / f"{name}.py")
    opened = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call)
              and isinstance(node.func, ast.Name) and node.func.id in ("open", "exec", "eval")]
    imported = {module.split(".")[0] for module in imported_by(MODULE_UTILS / f"{name}.py")} & REACHING_OUT
    assert (sorted(imported), opened) == ([], [])


ENTRY_POINTS = sorted((ROOT / "plugins/modules").glob("*.py")) + [
    MODULE_UTILS / f"{name}.py" for name in sorted(REACHES_OUTSIDE - {"_core/runner", "_backup/disk_copy"})]


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=name_of)
def test_programs_are_run_through_the_runner_only(path):
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


# What host_facts sends to each host in each run, and Python there compiles. What is compared on the host, since it may
# hold secrets or is only known there, brings its planner; whatever else decides or validates is for the controller.
COMPARED_ON_THE_HOST = {"_core/plan", "_drbd/plan", "_pacemaker/cib_plan", "_storage/lvm_plan"}
MOST_SENT = 450_000  # bytes of the collection's files


def sent_with(module: Path) -> set[Path]:
    """Return the files that Ansible packs for a module: all that it imports, wherever the import stands."""
    found, left = set(), [module]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            files = [MODULE_UTILS / (name.replace(".", "/") + ".py") for name in imported_by(path)]
            left += [file for file in files if file.is_file()]
    return found


def test_host_facts_sends_readers_and_no_planners_of_roles():
    sent = sent_with(ROOT / "plugins/modules/host_facts.py")
    names = {str(path.relative_to(MODULE_UTILS).with_suffix("")) for path in sent if path.is_relative_to(MODULE_UTILS)}
    assert {"_core/runner", "_pacemaker/facts", "_lvs/monitor"} <= names
    assert {name for name in names if re.search(r"/(.*role|.*settings|.*plan)$", name)} == COMPARED_ON_THE_HOST
    assert {name.split("/")[0] for name in names} <= {
        "_core", "_drbd", "_heartbeat", "_lvs", "_model", "_pacemaker", "_status", "_storage"}
    assert sum(path.stat().st_size for path in sent) <= MOST_SENT


# --- roles ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("file", ["README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml",
                                  "tasks/main.yml"])
def test_every_role_has_the_same_files(role, file):
    assert (ROOT / "roles" / role / file).is_file()


@pytest.mark.parametrize("role", ROLES)
def test_variables_are_checked_before_anything_else(role):
    tasks = load(ROOT / "roles" / role / "tasks/main.yml")
    if tasks[-1].get("ansible.builtin.include_tasks") == "build.yml":  # all of it, where there is anything to do
        assert {name for task in tasks[:-1] for name in task} <= {"name", "ansible.builtin.set_fact", "when", "tags"}
        tasks = load(ROOT / "roles" / role / "tasks/build.yml")
    included = ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
    while (first := next((tasks[0][name] for name in included if name in tasks[0]), "validate.yml")) != "validate.yml":
        tasks = load(ROOT / "roles" / role / "tasks" / first)
    assert tasks[0].get("linuxha.cluster.host_facts") == {"roles": [role]} \
        or tasks[0].get("ansible.builtin.import_tasks") == "validate.yml"


def options_of(role: str) -> dict[str, Any]:
    return load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["variables"]["options"]


def defaults_of(role: str) -> dict[str, Any]:
    return load(ROOT / "roles" / role / "defaults/main.yml") or {}


@pytest.mark.parametrize("role", ROLES)
def test_ansible_does_not_validate_by_itself(role):
    """It prints the values that it refuses, a whole resource with its secrets; host_facts does not."""
    entries = load(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]
    assert not [name for name, entry in entries.items()
                if entry.get("options") and (ROOT / "roles" / role / "tasks" / f"{name}.yml").exists()]


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


@pytest.mark.parametrize("role", ROLES)
def test_roles_decide_in_python(role):
    files = sorted((ROOT / "roles" / role / "vars").glob("*.yml"))
    private = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()
               if line and not line.startswith(("---", "#"))]
    assert [line for line in private if not re.match(r"__\w+: \S.*[^>|-]$", line)] == []
    assert len(private) <= MOST_PRIVATE_VARIABLES
    assert [path.name for path in TASK_FILES if path.is_relative_to(ROOT / "roles" / role)
            and "linuxha_" in path.read_text(encoding="utf-8")] == []


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


@pytest.mark.parametrize("path", TASK_FILES + PLAYBOOKS, ids=name_of)
def test_hosts_are_never_grouped_in_the_order_of_their_answers(path):
    # group_by adds each host when its own result is there: another one would be the first of the group in each run
    assert [task["name"] for task in all_tasks(path)
            if "ansible.builtin.group_by" in task and task.get("throttle") != 1] == []


def test_tags_never_install_the_packages_of_other_roles():
    tags = {tag for task in load(ROOT / "playbooks/tasks/install_packages.yml") for tag in task.get("tags", [])}
    assert tags == {"always"}


def test_the_makefile_works_in_a_path_with_a_blank():
    recipes = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if line.startswith("\t")]
    assert [line for line in recipes if re.search(r'(?<!")\$\(CURDIR\)', line)] == []
