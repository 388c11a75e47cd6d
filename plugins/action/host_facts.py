# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look at the host with a small program of our own; where that does not work, with the module and with setup.

Most of what a module costs on a slow host is Ansible's own code, sent and compiled anew each time. The look only reads,
so a Python there gets just our rooms on its standard input. Whatever goes wrong, the module is run as any other, and it
says what is wrong.
"""
from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.linuxha.cluster.plugins.module_utils import _host_look

SUBSET = ["!all", "!min", "distribution", "platform", "service_mgr", "pkg_mgr"]
PACKAGE = "ansible_collections.linuxha.cluster.plugins.module_utils"
MARK = "linuxha host_facts: "
READ = "import json, sys; told = json.load(sys.stdin); exec(told['program'])"
PROGRAM = f"""
from importlib.machinery import ModuleSpec

class Rooms:
    def find_spec(self, name, path=None, target=None):
        folder = ({PACKAGE!r} + ".").startswith(name + ".")
        if folder or name in told["rooms"]:
            return ModuleSpec(name, self, is_package=folder)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(told["rooms"].get(module.__name__, ""), module.__name__, "exec"), module.__dict__)

sys.meta_path.insert(0, Rooms())
from {PACKAGE}._host_look import answer
from {PACKAGE}._runner import Runner
print({MARK!r} + json.dumps(answer(Runner(None), told["asked"])))
"""


class ActionModule(ActionBase):
    """Look, in the way that works."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return what the module returns."""
        result = super().run(tmp, task_vars)
        result.update(self._looked(task_vars) or self._execute_module(
            task_vars=task_vars, wrap_async=self._task.async_val))
        if not result.get("failed") and not result.get("ansible_facts"):
            told = self._execute_module("ansible.legacy.setup", {"gather_subset": SUBSET}, task_vars=task_vars)
            if told.get("failed"):
                return told
            result["ansible_facts"] = told["ansible_facts"]
        return result

    def _looked(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return what the small program says, or nothing."""
        python = str(self._templar.template(task_vars.get("ansible_python_interpreter", "auto")))
        if python.startswith("auto"):
            python = "python3"  # any will do; where there is none, the module finds another
        asked = ArgumentSpecValidator(_host_look.argument_spec()).validate(plain(self._task.args))
        if asked.error_messages or self._task.async_val or not getattr(self._connection, "has_pipelining", False):
            return {}
        stdin = json.dumps({"program": PROGRAM, "rooms": rooms(), "asked": asked.validated_parameters})
        command = f"{self._compute_environment_string()} {python} -I -S -c {shlex.quote(READ)}"
        done = self._low_level_execute_command(command.strip(), in_data=stdin.encode())
        told = done.get("stdout", "").rpartition(MARK)
        return json.loads(told[2]) if done.get("rc") == 0 and told[1] else {}


def rooms() -> dict[str, str]:
    """Return the text of the rooms that the look needs, by their names."""
    folder = Path(_host_look.__file__).parent
    found: dict[str, str] = {}
    missing = {"_host_look", "_runner"}
    while missing:
        name = missing.pop()
        found[name] = (folder / f"{name}.py").read_text(encoding="utf-8")
        imports = " ".join(re.findall(rf"from {PACKAGE}[^(\n]*(?:\([^)]*\))?", found[name]))
        named = set(re.findall(r"\b_[a-z_]+\b", imports))
        missing |= {each for each in named if (folder / f"{each}.py").exists()} - set(found)
    return {f"{PACKAGE}.{name}": text for name, text in found.items()}


def plain(value: Any) -> Any:
    """Return the value without Ansible's lazy containers: the validator would copy all variables with them."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
