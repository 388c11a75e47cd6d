#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the facts that roles need of a host."""

DOCUMENTATION = r"""
module: host_facts
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Gather the facts that roles need in one task
description:
  - Gathers the few facts that this collection's roles use, and runs programs that only read.
  - A remote task takes half a second on a slow host, whatever it does, so all facts are gathered by one.
options:
  roles:
    description:
      - Roles of this collection, without its name, or C(ROLE/ENTRY_POINT). Their variables are validated first, on the
        controller. Then the facts that their planners need are gathered in one task and kept in
        C(ansible_facts.linuxha), for M(linuxha.cluster.role_plan).
    type: list
    elements: str
    default: []
  invalidate:
    description: Invalidate the facts of roles, since the host was changed. The host is not contacted.
    type: bool
    default: false
  queries:
    description: What to gather for each role; computed by the action plugin from O(roles).
    type: dict
    default: {}
  groups:
    description: Gather whether the resource groups run too, as M(linuxha.cluster.cluster_info) does.
    type: bool
    default: false
  questions:
    description:
      - Programs with their arguments, by the name of their output. They run in check mode too, so they must only read.
    type: dict
    default: {}
  files:
    description: Files and directories to read, for M(linuxha.cluster.config_files).
    type: list
    elements: path
    default: []
extends_documentation_fragment: [linuxha.cluster.attributes.facts]
"""

EXAMPLES = r"""
- name: Gather facts
  linuxha.cluster.host_facts:
    questions:
      apache: [stat, --format=%n, /usr/sbin/apache2ctl]
  register: facts
"""

RETURN = r"""
ansible_facts:
  description:
    - Distribution, names, service manager and package manager, as M(ansible.builtin.setup) gathers them.
    - On other hosts than Debian and Ubuntu with systemd, M(ansible.builtin.setup) itself runs, in the same task.
  returned: success
  type: dict
state:
  description: Of what M(linuxha.cluster.cluster_info) returns, what tells whether the resource groups run.
  returned: with O(groups)
  type: dict
answers:
  description:
    - What each program printed on its standard output, whatever its exit code was; empty where it is not installed.
    - In C(files), the state of the files, with the digest of their texts, and the state files of daemons that have to
      be reloaded.
  returned: success
  type: dict
  sample: {apache: "/usr/sbin/apache2ctl\n"}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.runner import Runner
from ..module_utils._status.host_facts import answer, argument_spec


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    asked = dict(module.params)
    # Nothing of them is returned, so no answer needs to be censored.
    del module.params["queries"]
    module.no_log_values = set()
    try:
        module.exit_json(**answer(Runner(module), asked))
    except HaError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
