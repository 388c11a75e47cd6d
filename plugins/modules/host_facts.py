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
  roles:
    description:
      - Roles of this collection, without its name. Their variables are validated first, on the controller. Then the
        facts that their planners need are gathered in one go and kept in C(ansible_facts.linuxha), for
        M(linuxha.cluster.role_plan).
    type: list
    elements: str
    default: []
  invalidate:
    description: Forget what was gathered for roles, since the host was changed. The host is not contacted.
    type: bool
    default: false
  queries:
    description: What to gather for each role; computed by the action plugin from O(roles).
    type: dict
    default: {}
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
  drbd:
    description:
      - DRBD resources to look at, with what M(linuxha.cluster.drbd_resource) would be given. Nothing is done to them.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the resource., type: str, required: true}
      disk: {description: Its backing device on this host., type: path}
      destroy: {description: Backing devices whose content may be destroyed., type: list, elements: path, default: []}
      initial_sync:
        description: Where the first synchronisation comes from.
        type: dict
        suboptions:
          from: {description: Name of the host., type: str, required: true}
          skip_if_blank: {description: Whether two sides of zeros need none., type: bool, default: false}
      filesystem:
        description: What is to be on it.
        type: dict
        suboptions:
          type: {description: Type of the filesystem., type: str, required: true}
          options: {description: Options of mkfs., type: list, elements: str, default: []}
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
  description:
    - Distribution, names, service manager and package manager, as M(ansible.builtin.setup) gathers them.
    - On other hosts than Debian and Ubuntu with systemd, M(ansible.builtin.setup) itself is asked, in the same task.
  returned: success
  type: dict
answers:
  description:
    - What each program printed on its standard output, whatever its exit code was; empty where it is not installed.
    - In C(files), what was found of the files, with the digest of their texts, and the notes of daemons that have not
      taken files over.
  returned: success
  type: dict
  sample: {apache: "/usr/sbin/apache2ctl\n", idle: {drbd: true}}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.runner import Runner
from ..module_utils._status.host_facts import answer, argument_spec


def main():
    """Ask, and report."""
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
