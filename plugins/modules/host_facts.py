#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Front door for all that several roles want to know of a host."""

DOCUMENTATION = r"""
module: host_facts
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "0.1.0"
short_description: Ask a host several questions in one task
description:
  - Gathers the few facts that this collection's roles use, and runs programs that only read.
  - A remote task costs half a second on a slow host, whatever it asks, so roles ask all at once.
options:
  questions:
    description:
      - Programs with their arguments, by the name that their answer gets. They are run in check mode too, so they must
        not change anything.
    type: dict
    default: {}
  files:
    description: Files and folders to look at, for M(linuxha.cluster.config_files).
    type: list
    elements: path
    default: []
extends_documentation_fragment: [linuxha.cluster.attributes.facts]
"""

EXAMPLES = r"""
- name: Look at the host
  linuxha.cluster.host_facts:
    questions:
      apache: [stat, --format=%n, /usr/sbin/apache2ctl]
  register: seen
"""

RETURN = r"""
ansible_facts:
  description: Distribution, platform, service manager and package manager, as M(ansible.builtin.setup) gathers them.
  returned: success
  type: dict
answers:
  description:
    - What each program printed on its standard output, whatever its exit code was; empty where it is not installed.
    - In C(files), what was found of the files, with the digest of their texts, and the notes of daemons that have not
      taken files over.
  returned: success
  type: dict
  sample: {apache: "/usr/sbin/apache2ctl\n"}
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.facts import ansible_collector
from ansible.module_utils.facts.namespace import PrefixFactNamespace
from ansible.module_utils.facts.system.distribution import DistributionFactCollector
from ansible.module_utils.facts.system.pkg_mgr import PkgMgrFactCollector
from ansible.module_utils.facts.system.platform import PlatformFactCollector
from ansible.module_utils.facts.system.service_mgr import ServiceMgrFactCollector
from ansible_collections.linuxha.cluster.plugins.module_utils._config_files import NOTES, seen_from
from ansible_collections.linuxha.cluster.plugins.module_utils._file_look import look
from ansible_collections.linuxha.cluster.plugins.module_utils._plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._runner import Runner

# Only what is used: the whole of setup is ten times as much to send and to import.
COLLECTORS = [PlatformFactCollector, DistributionFactCollector, ServiceMgrFactCollector, PkgMgrFactCollector]


def gather(module):
    """Return the facts as setup would."""
    names = [collector.name for collector in COLLECTORS]
    collector = ansible_collector.get_ansible_collector(
        all_collector_classes=COLLECTORS, namespace=PrefixFactNamespace("ansible", "ansible_"),
        gather_subset=["!all", "!min"] + names, minimal_gather_subset=frozenset())
    facts = collector.collect(module=module)
    return {name: value for name, value in facts.items() if name not in ("ansible_gather_subset", "gather_subset",
                                                                         "module_setup", "ansible_module_setup")}


def ask(runner, questions):
    """Return what each program prints."""
    return {name: runner.run([str(part) for part in argv], accepted=tuple(range(256))).out
            if runner.has(str(argv[0])) else "" for name, argv in questions.items()}


def look_at(paths):
    """Return what config_files wants to know of files."""
    notes = os.listdir(NOTES) if os.path.isdir(NOTES) else []
    return {"files": {path: seen_from(look(path)) for path in map(os.path.normpath, paths)},
            "pending": {daemon: look(os.path.join(NOTES, daemon)).content for daemon in notes}}


def main():
    """Ask, and report."""
    module = AnsibleModule(
        argument_spec={"questions": {"type": "dict", "default": {}},
                       "files": {"type": "list", "elements": "path", "default": []}},
        supports_check_mode=True)
    try:
        answers = ask(Runner(module), module.params["questions"])
        module.exit_json(changed=False, ansible_facts=gather(module),
                         answers=dict(answers, files=look_at(module.params["files"])))
    except HaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
