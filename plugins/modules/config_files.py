#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Front door for configuration files and the daemon that reads them."""

DOCUMENTATION = r"""
module: config_files
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Put configuration files in place, and have a daemon take them over
description:
  - Puts any number of files and folders in place in one task. Only what differs is written.
  - Every new text is first read by the program named in its C(check), in check mode too. If one of them is refused,
    nothing is changed.
  - Each file is replaced in one step, with its owner and mode, and is on the disk when the task ends, so that a power
    cut leaves the old one or the new one.
  - With O(daemon), a note in C(/var/run/linuxha/pending) lists the files that the daemon has not taken over yet. It is
    made before the first file is replaced and goes when O(take_over) has succeeded. A run that is killed in between
    leaves it, and the next one reports a change and does the rest. At boot, when every daemon reads its files, the
    note goes by itself.
  - A symbolic link is replaced by the file, unless what it leads to is right already. What it leads to is never
    changed, it may be a program.
options:
  files:
    description: The files. A folder that one of them needs is made with mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Where it is to be.
        type: path
        required: true
      content:
        description: Its text. Without one it is taken away.
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
          - A program with its arguments that reads the text and ends with exit code 0 when it is right. In check mode
            one that is not installed yet is passed over.
          - V(%s) stands for the name of a file with the text.
        type: list
        elements: str
        default: []
      check_in_place:
        description: Whether C(check) finds the text in the place of the old file, if there is one. Nobody else does.
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
        description: Whether a file that is there already stays as it is, whatever it says.
        type: bool
        default: false
      mount:
        description: A mount point; the file is passed over while nothing is mounted there.
        type: str
        default: ""
  directories:
    description: The folders. They are made before the files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Where it is to be.
        type: path
        required: true
      mode:
        description: Its mode. By default 0755 for a new one, and as it is for one that is there.
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
    description: The name of who reads the files, and of the note.
    type: str
    default: ""
  take_over:
    description:
      - How the daemon takes changed files over, as the last action.
      - Without it the note stays, and RV(pending) says so. That is for daemons of which all nodes must have their files
        before one takes them over; a second task, without files, does that then.
    type: dict
    suboptions:
      argv:
        description: The command. Empty after other tasks have told the daemon; only the note goes then.
        type: list
        elements: str
        default: []
      accepted:
        description: Its exit codes that mean success.
        type: list
        elements: int
        default: [0]
      running:
        description: A command whose exit code 0 means that the daemon runs. It is told nothing while it does not, since
          it reads the files when it starts. Not needed where O(take_over.argv) sees to that itself.
        type: list
        elements: str
        default: []
      timeout:
        description: Seconds that the command may take.
        type: int
        default: 120
  due:
    description: Whether a take-over is due even without a note, because in check mode an earlier task has made none.
    type: bool
    default: false
  seen:
    description: What M(linuxha.cluster.host_facts) has seen of the files, C(files) of its answers. Where all of them
      are as they are to be, the host is not asked again.
    type: dict
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
extends_documentation_fragment: [linuxha.cluster.attributes]
"""

EXAMPLES = r"""
- name: Write the web site, and have apache take it over where it runs
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
  description: The files that were written or taken away.
  returned: success
  type: list
  elements: str
pending:
  description: Whether the daemon is still to take files over.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import config_files
from ..module_utils._core.config_files import argument_spec, wanted_from
from ..module_utils._core.file_state import look
from ..module_utils._core.plan import HaError, RemoveFile, WriteFile
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner


class Files:
    """How to read the files; all thinking is done elsewhere."""

    def __init__(self, runner, wanted, forecast):
        self.runner, self.wanted, self.written = runner, wanted, []
        self.forecast = forecast                # check mode: what reads the files may not be installed yet

    def read(self):
        """Return what there is."""
        wanted = self.wanted
        found = {file.path: look(file.path, file.mount) for file in wanted.files}
        found.update({folder.path: look(folder.path) for folder in wanted.folders})
        question = wanted.take_over.running if wanted.take_over else ()
        return config_files.State(
            found=found, note=look(config_files.note_of(wanted.daemon)).content if wanted.daemon else "",
            running=not question or self.runs(question))

    def runs(self, question):
        """Ask whether the daemon runs."""
        return self.runner.has(question[0]) and self.runner.run(question, accepted=tuple(range(256))).code == 0

    def plan(self, state):
        """Plan the change, and have the new texts checked before any of it."""
        wanted = config_files.plan_files(state, self.wanted)
        paths = {action.path for action in wanted.actions if isinstance(action, (WriteFile, RemoveFile))}
        self.written = [file.path for file in self.wanted.files if file.path in paths]
        for file in self.wanted.files:
            if file.check and file.content is not None and file.path in paths and (
                    not self.forecast or self.runner.has(file.check[0])):
                self.prove(file)
        return wanted

    def prove(self, file):
        """Have one text read by the program that knows."""
        try:
            place = file.path if file.in_place and look(file.path).kind == "file" else ""
            self.runner.prove(file.content, file.check, place)
        except HaError as error:
            said = "what %s said may hold a secret" % file.check[0] if file.secret else str(error)
            raise HaError("%s: its new content is not accepted, nothing was changed: %s" % (file.path, said))

    def report(self, state):
        """Return the module's own values."""
        return {"pending": bool(state.note), "written": self.written}


def main():
    """Hand over to the hallway."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    # From now on only secrets are hidden, or no difference could be shown.
    module.no_log_values = {file["content"] for file in module.params["files"] if file["secret"] and file["content"]}
    try:
        files = Files(Runner(module), wanted_from(module.params), module.check_mode)
    except HaError as error:
        module.fail_json(msg=str(error))
    reconcile(module, read=files.read, plan=files.plan, perform=files.runner.perform,
              describe=lambda state: config_files.describe(state, files.wanted), report=files.report)


if __name__ == "__main__":
    main()
