# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation agrees with the code: messages, variables of playbooks, commands, links."""
from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for pattern in ("*.md", "docs/*.md", "docs/*/*.md", "roles/*/README.md", "lab/harness/README.md")
               for path in ROOT.glob(pattern))
PLAYBOOK_FILES = sorted((ROOT / "playbooks").rglob("*.yml"))
ENVIRONMENT = Environment(autoescape=False, extensions=["jinja2.ext.do"])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- messages -------------------------------------------------------------------------------------------------------

# What a message has where the code fills in a value.
FILLED = "\N{HORIZONTAL ELLIPSIS}"
FORMAT = re.compile(r"is not valid|; expected |^(CANNOT|cannot) |To continue:| is refused")


def template(node: ast.expr) -> str:
    """Return the text of an expression, with FILLED for what only the run knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(?:\([^)]*\))?[-#0-9.]*[sdrfx]", FILLED, node.value).replace("%%", "%")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return template(node.left)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(template(part) for part in node.values)
    return FILLED


def is_message(text: str) -> bool:
    """Whether there are words besides what is filled in."""
    return len(re.findall(r"[A-Za-z]{2,}", text)) > 1


def messages_of_code(path: Path) -> Iterator[str]:
    """Return the messages of errors and findings: what is raised, what has a format of messages, and findings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, (ast.Expr, ast.Assign))
                     and isinstance(node.value, ast.Constant)}
    findings = "_status" in path.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            error = ast.unparse(node.exc.func)
            if error not in ("TypeError", "ValueError"):  # of the code to the code: its caller makes a message of it
                before = FILLED + " is not valid; expected " if error.endswith("Expected") else ""
                yield from (before + template(value) for value in node.exc.args[:1])
        elif isinstance(node, (ast.Constant, ast.BinOp, ast.JoinedStr)) and id(node) not in documentation:
            text = template(node)
            if FORMAT.search(text) and not text.startswith(("; expected", " is ", ";")):
                yield text
        elif findings and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "inding" in node.func.id:
            yield from (template(value) for value in node.args[2:3])
        elif findings and isinstance(node, ast.Assign) and "problem" in ast.dump(node)[:120]:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            yield from map(template, values)


def messages_of_tasks(path: Path) -> Iterator[str]:
    """Return the messages of fail and assert."""
    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for each in value:
                yield from walk(each)
        elif isinstance(value, dict):
            for key, each in value.items():
                if key in ("ansible.builtin.fail", "ansible.builtin.assert"):
                    text = each.get("fail_msg") or each.get("msg") or ""
                    yield re.sub(r"{{.*?}}", FILLED, text, flags=re.DOTALL).strip()
                else:
                    yield from walk(each)

    yield from walk(load(path))


TASK_FILES = [*sorted(ROOT.glob("roles/*/tasks/*.yml")), *PLAYBOOK_FILES]
MESSAGES = sorted({(" ".join(text.split()), name_of(path)) for path in sorted((ROOT / "plugins").rglob("*.py"))
                   if "_lint" not in path.parts for text in messages_of_code(path) if is_message(text)}
                  | {(" ".join(text.split()), name_of(path)) for path in TASK_FILES
                     for text in messages_of_tasks(path) if is_message(text)})


def patterns() -> list[str]:
    """Return the messages of docs/troubleshooting.md; "..." stands for anything."""
    return re.findall(r"^\| `(.+?)` \|", page("docs/troubleshooting.md"), re.MULTILINE)


def matcher(entry: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part.strip()) for part in entry.split("...")), re.DOTALL)


@pytest.fixture(scope="module")
def matchers():
    return [matcher(entry) for entry in patterns()]


def test_messages_are_found():
    assert len(MESSAGES) > 300


@pytest.mark.parametrize(("message", "place"), MESSAGES, ids=[f"{place}:{text[:40]}" for text, place in MESSAGES])
def test_every_message_is_in_the_troubleshooting(matchers, message, place):
    assert any(each.search(message) for each in matchers), f"{place}: {message}"


@pytest.mark.parametrize("entry", patterns())
def test_every_entry_is_a_message_of_the_code(entry):
    assert any(matcher(entry).search(message) for message, _place in MESSAGES)


def test_a_message_without_an_entry_would_be_found(matchers):
    assert not any(each.search("CANNOT PAINT THE FENCE ON debian1: it rains") for each in matchers)


# --- playbooks ------------------------------------------------------------------------------------------------------

# What Ansible, the roles and tasks themselves define.
DEFINED_KEYS = ("vars", "ansible.builtin.set_fact")
NAMES_OF_ANSIBLE = {"groups", "hostvars", "inventory_hostname", "item", "now", "omit", "dict"}
WITHOUT_BRACES = {"when", "that", "until", "changed_when", "failed_when"}
# Defined in some playbooks, and passed with -e to others.
PASSED_TOO = {"cluster", "node", "resource"}


def collect(value: Any, used: set[str], defined: set[str], key: str = "") -> None:
    """Collect the variables that expressions use, and those that a playbook defines itself."""
    if isinstance(value, list):
        for each in value:
            collect(each, used, defined, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in DEFINED_KEYS and isinstance(each, dict):
                defined.update(each)
            if name in ("register", "loop_var", "index_var"):
                defined.add(each)
            collect(each, used, defined, name)
    elif isinstance(value, str):
        text = "{{ " + value + " }}" if key in WITHOUT_BRACES and "{{" not in value else value
        for name in ENVIRONMENT.parse(text).find_all(nodes.Name):
            (used if name.ctx == "load" else defined).add(name.name)


def passed_variables() -> set[str]:
    """Return the variables that the playbooks use and nothing in them defines: those of -e and of the inventory."""
    used: set[str] = set()
    defined = set(NAMES_OF_ANSIBLE)
    for path in PLAYBOOK_FILES:
        content = load(path)
        collect(content, used, defined)
        if path.parent.name == "vars":
            defined |= set(content)
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        defined |= {name for entry in load(path)["argument_specs"].values() for name in entry.get("options") or {}}
    return {name for name in used - defined if not name.startswith(("_", "ansible_"))} | PASSED_TOO


def test_every_variable_of_playbooks_is_documented():
    words = set(re.findall(r"\w+", page("docs/playbooks.md")))
    assert {"from", "save_to", "keep", "status_json"} <= passed_variables()
    assert sorted(passed_variables() - words) == []


def test_every_playbook_is_documented():
    text = page("docs/playbooks.md")
    rows = {name for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert rows == {path.stem for path in (ROOT / "playbooks").glob("*.yml")}


# --- commands -------------------------------------------------------------------------------------------------------

COMMANDS = sorted({(name_of(path), line.split("  #")[0].strip()) for path in PAGES
                   for block in re.findall(r"^ *```console\n(.*?)^ *```", path.read_text(encoding="utf-8"),
                                           re.DOTALL | re.MULTILINE)
                   for line in block.replace("\\\n", " ").splitlines() if line.strip()})
PROGRAM_OF_TASKS = re.compile(r"`(ansible-playbook [^`]+)`")
PLAYED = sorted({(place, command) for place, command in COMMANDS if "ansible-playbook" in command}
                | {(name_of(path), command.replace("[", "").replace("]", "")) for path in PAGES
                   for command in PROGRAM_OF_TASKS.findall(path.read_text(encoding="utf-8"))})
LABS = [(place, command) for place, command in COMMANDS if command.startswith("python3 -m lab")]
TARGETS = [(place, command) for place, command in COMMANDS if command.startswith("make ")]
OTHERS = [(place, command) for place, command in COMMANDS
          if (place, command) not in [*PLAYED, *LABS, *TARGETS]]
# Inventories that only the reader has.
OWN = ("inventories/mine", "inventory.yml", "DIR", "/srv/old-cluster")


def playbook_of(command: str) -> Path:
    """Return the file of the playbook that a command runs."""
    word = next(word for word in shlex.split(command.partition("ansible-playbook ")[2]) if not word.startswith("-"))
    if word.startswith("linuxha.cluster."):
        return ROOT / "playbooks" / f"{word.rpartition('.')[2]}.yml"
    return ROOT / word


@pytest.mark.parametrize(("place", "command"), PLAYED)
def test_commands_run_playbooks_that_are_there(place, command):
    assert playbook_of(command).is_file()
    words = shlex.split(command)
    for option, value in zip(words, words[1:], strict=False):
        if option == "-i" and not value.startswith(OWN):
            assert (ROOT / value).exists()
        if option == "-e" and not value.startswith("{"):
            assert value.partition("=")[0] in set(re.findall(r"\w+", page("docs/playbooks.md"))) | all_options()


def all_options() -> set[str]:
    return {name for path in ROOT.glob("roles/*/meta/argument_specs.yml")
            for entry in load(path)["argument_specs"].values() for name in entry.get("options") or {}}


def test_playbooks_of_commands_have_a_valid_syntax():
    playbooks = sorted({str(playbook_of(command)) for _place, command in PLAYED})
    done = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "--syntax-check", "-i",
                           "inventories/lab", *playbooks], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("place", "command"), LABS)
def test_commands_of_the_lab_have_a_valid_syntax(place, command):
    sys.path.insert(0, str(ROOT))
    from lab.__main__ import parser  # noqa: PLC0415 (only this test needs the lab)

    words = shlex.split(command)[3:]
    try:
        parser().parse_args(words)
    except SystemExit as end:
        assert end.code == 0  # --help


@pytest.mark.parametrize(("place", "command"), TARGETS)
def test_targets_of_make_are_there(place, command):
    assert re.search(rf"^{shlex.split(command)[1]}:", page("Makefile"), re.MULTILINE)


@pytest.mark.parametrize(("place", "command"), OTHERS)
def test_other_commands_are_known(place, command):
    known = (r"ansible-galaxy collection install linuxha\.cluster", r"\. \.venv/bin/activate",
             r"python3? -m pip install ", r"molecule (converge|test) -s (\w+)$", r"cd ",
             r"ansible-doc -t (\w+) linuxha\.cluster\.(\w+)$", r"git clone https://github\.com/linuxha/cluster",
             r"\.venv/bin/ansible-galaxy collection (build|install) --force")
    found = [match for match in (re.match(each, command) for each in known) if match]
    assert found
    if command.startswith("molecule"):
        assert (ROOT / "molecule" / found[0].group(2)).is_dir()


def test_commands_are_found():
    assert len(PLAYED) > 20 and len(LABS) > 8 and len(TARGETS) > 5


# --- links ----------------------------------------------------------------------------------------------------------

LINK = re.compile(r"\]\(([^()\s]+)\)")
AT_HOME = re.compile(r"https://(?:raw\.githubusercontent\.com/linuxha/cluster/main|github\.com/linuxha/cluster/blob/main)/")


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ +(.+)$", without_code(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    broken = []
    for link in LINK.findall(without_code(path.read_text(encoding="utf-8"))):
        file, _, anchor = link.partition("#")
        if AT_HOME.match(file):
            target = ROOT / AT_HOME.sub("", file)
        elif ":" in file:
            continue
        else:
            target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index():
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in LINK.findall(page("docs/index.md"))}
    assert sorted(name_of(path) for path in PAGES if path not in linked and path.name != "index.md"
                  and ".github" not in path.parts) == []


def test_pages_of_the_collection_have_no_broken_pictures():
    assert {f"docs/images/{name}" for path in PAGES for name in re.findall(
        r"images/([\w.]+)\)", path.read_text(encoding="utf-8"))} <= {
            name_of(path) for path in (ROOT / "docs/images").iterdir()}


def test_blocks_of_code_begin_their_lines():
    """Galaxy does not know them within lists."""
    assert [name_of(path) for path in PAGES if "\n  ```" in path.read_text(encoding="utf-8")] == []


def test_the_picture_of_the_recording_is_that_of_its_cast():
    sys.path.insert(0, str(ROOT / "docs"))
    import recording  # noqa: PLC0415 (only this test needs it)

    assert recording.picture() == page("docs/images/make_lab.svg")


# --- tables ---------------------------------------------------------------------------------------------------------

ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def rows_of(name: str, columns: int) -> dict[str, list[str]]:
    """Return the rows of the tables of a page that have so many columns, by their first word in code."""
    rows = [line.strip("| ").split(" | ") for line in page(name).splitlines() if line.startswith("| ")]
    return {found.group(1): row for row in rows if len(row) == columns and (found := re.match(r"\[?`(\w+)`", row[0]))}


def test_every_role_and_module_is_in_the_tables():
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")} | {
        path.stem for path in (ROOT / "plugins/action").glob("*.py") if path.stem != "__init__"}
    assert set(rows_of("docs/contents.md", 2)) == set(ROLES) | modules
    assert set(ROLES) <= set(rows_of("README.md", 2))


@pytest.mark.parametrize("role", ROLES)
def test_the_support_table_agrees_with_the_platforms_of_the_role(role):
    _, twelve, debian, _ubuntu, el, old = rows_of("README.md", 6)[role]
    platforms = {each["name"]: set(map(str, each["versions"]))
                 for each in load(ROOT / "roles" / role / "meta/main.yml")["galaxy_info"]["platforms"]}
    assert (twelve, debian != "no") == ("lab", platforms["Debian"] == {"bullseye", "bookworm", "trixie"})
    assert (el != "no") == ({"8", "9"} <= platforms.get("EL", set()))
    assert old == "no" or role in ("clvm", "ntp") or {"5", "6"} <= platforms["EL"]
