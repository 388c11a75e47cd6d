# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find faults in the configuration files of clusters that lie on the controller. Runs on the controller only."""
from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._lint import lint, report, rules
from ..plugin_utils._config_folder import TooMuch, read_folder

EXPECTED = "a folder of this machine with configuration files of clusters"


class ActionModule(ActionBase):
    """Read the folder and return the findings; nothing is sent to the host."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Print and return the findings by file and line."""
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({"path": {"type": "str", "required": True}})
        given = arguments["path"]
        root = os.path.abspath(os.path.expanduser(given))
        if not os.path.isdir(root):
            raise AnsibleActionFail(f"path: {given} is not valid; expected {EXPECTED}")
        try:
            folder = read_folder(root)
        except TooMuch as error:
            raise AnsibleActionFail(f"path: {given} is not valid; expected {error}")
        if not folder.files and not folder.not_read:
            raise AnsibleActionFail(f"path: {given} is not valid; expected {EXPECTED}, such as corosync.conf, "
                                    "cluster.conf, drbd.conf, ha.cf, haresources or ldirectord.cf")
        findings = list(lint.lint_files(folder.files, folder.modes))
        findings += [report.Finding(name, 1, rules.WARNING, "not-read", f"the file is not read: {reason}; expected a "
                                    "configuration file of at most 1 MiB") for name, reason in folder.not_read.items()]
        placed = [one._replace(file=os.path.normpath(os.path.join(given, one.file)))
                  for one in report.by_name(findings)]
        lines, summary = [lint.render(one) for one in placed], lint.summarise(placed, len(folder.files))
        for line in [*lines, summary]:  # as compilers do: in the result of a task, Ansible would quote or fold them
            self._display.display(line)
        counts = {level: sum(one.level == level for one in placed) for level in lint.LEVELS}
        return {**result, "changed": False, "findings": [_described(one) for one in placed],
                "lines": lines, "summary": summary, "counts": counts}


def _described(finding: report.Finding) -> dict[str, Any]:
    rule = rules.RULES[finding.rule]
    return {**finding._asdict(), "why": rule.why, "remedy": rule.remedy}
