#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write configuration files and reload the daemon that reads them."""

DOCUMENTATION = r"""
module: config_files
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Write configuration files and reload the daemon that reads them
description:
  - Writes any number of files and directories in one task. Only what differs is written.
  - Every new text is first validated by the program named in its C(check), in check mode too. If one of them is not
    valid, nothing is changed.
  - Each file is replaced in one step, with its owner and mode, and is on the disk when the task ends, so that a power
    cut leaves the old one or the new one.
  - With O(daemon), a state file in C(/var/run/linuxha/pending) lists the files that the daemon has not read yet. It is
    written before the first file is replaced, and removed when O(take_over) has succeeded. A run that is killed in
    between leaves it; the next one finds it, reports a change and reloads the daemon. A reboot removes it, since every
    daemon reads its files when it starts.
  - A symbolic link is replaced by the file, unless its target has the desired state already. The target itself is never
    changed, it may be a program.
options:
  files:
    description: The files. Missing parent directories are created with mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path of the file.
        type: path
        required: true
      content:
        description: Its text. Without it the file is removed.
        type: str
      mode:
        description: Its mode, an octal number in quotes.
        type: str
        default: "0644"
      owner:
        description: Its owner. By default that of the old file.
        type: str
        default: ""
      group:
        description: Its group. By default that of the old file.
        type: str
        default: ""
      check:
        description:
          - A program with its arguments that reads the text and ends with exit code 0 when it is valid. In check mode
            a program that is not installed yet is skipped.
          - V(%s) stands for the name of a file with the text.
        type: list
        elements: str
        default: []
      check_in_place:
        description: Whether C(check) reads the text under the name of the old file, if there is one. No other process
          does.
        type: bool
        default: false
      backup:
        description: Whether a copy of an old file with another text is kept beside it.
        type: bool
        default: false
      secret:
        description: Whether the text is kept out of differences and messages. No text gets into the host's log. Add
          C(no_log) to the task where a loop would show it.
        type: bool
        default: false
      once:
        description: Whether an existing file is kept as it is, whatever its content.
        type: bool
        default: false
      mount:
        description: A mount point; the file is skipped while nothing is mounted there.
        type: str
        default: ""
  directories:
    description: The directories. They are created before the files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the directory.
        type: path
        required: true
      mode:
        description: Its mode. By default 0755 for a new directory, unchanged for an existing one.
        type: str
      owner:
        description: Its owner. By default the one it has.
        type: str
        default: ""
      group:
        description: Its group. By default the one it has.
        type: str
        default: ""
  daemon:
    description: The name of the daemon that reads the files, and of its state file.
    type: str
    default: ""
  take_over:
    description:
      - How the daemon is reloaded, as the last action.
      - Without it the state file stays, and RV(pending) is true. That is for daemons whose files all nodes must have
        before the first one is reloaded; a second task, without files, reloads it then.
    type: dict
    suboptions:
      argv:
        description: The command. Empty where other tasks have reloaded the daemon; only the state file is removed then.
        type: list
        elements: str
        default: []
      accepted:
        description: Its exit codes that mean success.
        type: list
        elements: int
        default: [0]
      running:
        description: A command whose exit code 0 means that the daemon runs. A daemon that does not run is not reloaded,
          since it reads the files when it starts. Not needed where O(take_over.argv) checks that itself.
        type: list
        elements: str
        default: []
      timeout:
        description: Timeout of the command in seconds.
        type: int
        default: 120
  due:
    description: Whether a reload is due even without a state file, since an earlier task writes none in check mode.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: Write the web site, and reload apache where it runs
  linuxha.cluster.config_files:
    files:
      - dest: /etc/apache2/sites-enabled/000-cluster.conf
        content: "{{ lookup('ansible.builtin.template', 'site.conf.j2') }}"
        owner: root
        group: root
        check: [apache2ctl, -t, -c, Include %s]
    daemon: apache
    take_over: {argv: [systemctl, try-reload-or-restart, apache2.service]}
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: always
  type: list
  elements: str
written:
  description: The files that were written or removed.
  returned: success
  type: list
  elements: str
backups:
  description: The copies of the files that were replaced, by their paths.
  returned: success
  type: dict
pending:
  description: Whether the daemon still has to be reloaded.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import config_files
from ..module_utils._core.config_files import argument_spec, desired_from
from ..module_utils._core.file_state import read_state
from ..module_utils._core.plan import HaError, RemoveFile, WriteFile
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner


class Files:
    """Reads the files of this host and validates new texts. ``lenient``: skip checks by programs that are missing."""

    def __init__(self, runner, desired, lenient):
        self.runner, self.desired, self.written = runner, desired, []
        self.lenient = lenient                  # check mode: the programs may not be installed yet

    def read(self):
        """Return the current state."""
        desired = self.desired
        found = {file.path: read_state(file.path, file.mount) for file in desired.files}
        found.update({folder.path: read_state(folder.path) for folder in desired.folders})
        command = desired.take_over.running if desired.take_over else ()
        state_file = config_files.state_file_of(desired.daemon) if desired.daemon else ""
        return config_files.State(
            found=found, pending=read_state(state_file).content if state_file else "",
            running=not command or self.runs(command))

    def runs(self, command):
        """Return whether the daemon runs."""
        return self.runner.has(command[0]) and self.runner.run(command, accepted=tuple(range(256))).code == 0

    def plan(self, state):
        """Plan the change, and validate the new texts before any of it."""
        plan = config_files.plan_files(state, self.desired)
        paths = {action.path for action in plan.actions if isinstance(action, (WriteFile, RemoveFile))}
        self.written = [file.path for file in self.desired.files if file.path in paths]
        for file in self.desired.files:
            if file.check and file.content is not None and file.path in paths and (
                    not self.lenient or self.runner.has(file.check[0])):
                self.validate(file)
        return plan

    def validate(self, file):
        """Validate one text by its program; HaError, without what may be secret, when it is not valid."""
        try:
            place = file.path if file.in_place and read_state(file.path).kind == "file" else ""
            self.runner.prove(file.content, file.check, place)
        except HaError as error:
            reason = "the output of %s may hold a secret" % file.check[0] if file.secret else str(error)
            raise HaError("%s: the new content is not valid, nothing was changed: %s" % (file.path, reason))

    def report(self, state):
        """Return the module's own values."""
        return {"pending": bool(state.pending), "written": self.written, "backups": dict(self.runner.backups)}


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    # From now on only secrets are hidden, or no difference could be shown.
    module.no_log_values = {file["content"] for file in module.params["files"] if file["secret"] and file["content"]}
    try:
        files = Files(Runner(module), desired_from(module.params), module.check_mode)
    except HaError as error:
        module.fail_json(msg=str(error))
    reconcile(module, read=files.read, plan=files.plan, perform=files.runner.perform,
              describe=lambda state: config_files.describe(state, files.desired), report=files.report)


if __name__ == "__main__":
    main()
