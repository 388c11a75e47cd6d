#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action config_lint, which runs on the controller only."""
DOCUMENTATION = r"""
module: config_lint
short_description: Find faults in the configuration files of clusters
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Reads C(corosync.conf), C(cluster.conf), C(drbd.conf) and C(*.res), C(ha.cf), C(haresources), C(authkeys) and
    C(ldirectord.cf) as they are, from a folder on the controller, and prints what is unsafe or cannot work, a line
    for each fault, with file and line number as compilers do.
  - The files of one cluster may lie in one folder. Those of several hosts lie in a folder for each host, as copies of
    C(/etc), or as the archives that M(linuxha.cluster.config_archive) makes, and are compared with each other.
  - Does not connect to any host, and changes nothing. Values of secrets are never returned.
  - Files of other names, files of more than 1 MiB, and links out of the folder are not read.
options:
  path:
    description: The folder.
    type: str
    required: true
extends_documentation_fragment:
  - linuxha.cluster.attributes.facts
"""

EXAMPLES = r"""
- name: Check the saved configuration
  linuxha.cluster.config_lint:
    path: /var/backups/web_pair-20261120T170000Z
  register: saved
  run_once: true

- name: Fail where there are errors
  ansible.builtin.fail:
    msg: "{{ saved.summary }}"
  when: saved.counts.error > 0
"""

RETURN = r"""
findings:
  description: The faults by file and line, each with its rule, why it is a fault, and the remedy.
  returned: success
  type: list
  elements: dict
  sample:
    - file: web_pair/ha.cf
      line: 4
      level: error
      rule: heartbeat-initdead
      message: "initdead: '30' is not valid; expected at least twice deadtime, which is 20"
      why: A node that boots declares the other one dead before the network works
      remedy: Raise initdead
lines:
  description: The same, one line of text for each fault, as they are printed.
  returned: success
  type: list
  elements: str
  sample:
    - "web_pair/ha.cf:4: error: initdead: '30' is not valid; expected at least twice deadtime, which is 20
      (heartbeat-initdead)"
summary:
  description: How many files were read, errors and warnings.
  returned: success
  type: str
  sample: "4 files: 1 error, 0 warnings"
counts:
  description: The numbers of faults by their level, C(error) and C(warning).
  returned: success
  type: dict
  sample: {error: 1, warning: 0}
"""
