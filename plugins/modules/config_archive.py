#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Save the configuration of a cluster node in an archive, or read one."""

DOCUMENTATION = r"""
module: config_archive
author:
  - linuxha.cluster maintainers (@linuxha)
version_added: "1.0.0"
short_description: Save the configuration of a cluster node in an archive, or read one
description:
  - Saves files with their owners and modes, and what programs print, in a C(.tar.gz) with a manifest. The archive is
    verified before it gets its name, and only its owner may read it.
  - An existing archive is never replaced.
  - With O(state=read) it reads an archive and fails where it does not match its manifest, or is of another node.
    It returns the files as an option of M(linuxha.cluster.config_files).
options:
  path:
    description: Absolute path of the archive.
    type: path
    required: true
  state:
    description: Whether the archive is written or read.
    type: str
    choices: [made, read]
    default: made
  cluster:
    description: Name of the cluster, for the manifest.
    type: str
    required: true
  node:
    description: Name of the node, for the manifest.
    type: str
    required: true
  paths:
    description: Files and directories, also as patterns such as C(/etc/ha.d/*.cf). Those that do not exist are
      skipped.
    type: list
    elements: str
    default: []
  outputs:
    description:
      - Programs with their arguments, by the name of their output. They run in check mode too, so they must only read.
        One that is not installed or fails is named in the manifest.
    type: dict
    default: {}
  contents:
    description: With O(state=read), whether RV(files) is returned. It may hold secrets, so add C(no_log).
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
- name: Save heartbeat's files
  linuxha.cluster.config_archive:
    path: /var/backups/debian1.tar.gz
    cluster: web_pair
    node: debian1
    paths: [/etc/ha.d]
    outputs:
      addresses: [ip, address]
"""

RETURN = r"""
actions:
  description: What was done (would be done in check mode), one sentence each.
  returned: with O(state=made)
  type: list
  elements: str
saved:
  description: Paths of the saved files.
  returned: with O(state=made)
  type: list
  elements: str
outputs:
  description: Names of the programs whose output is saved.
  returned: with O(state=made)
  type: list
  elements: str
without:
  description: Names of the programs that ended with an error.
  returned: with O(state=made)
  type: list
  elements: str
manifest:
  description: The manifest, with C(cluster), C(node), C(date) in ISO 8601, C(files) and C(not_there).
  returned: with O(state=read)
  type: dict
files:
  description: The text files, as the option C(files) of M(linuxha.cluster.config_files).
  returned: with O(state=read) and O(contents)
  type: list
  elements: dict
others:
  description: Paths of the binary files and symbolic links, which are not restored.
  returned: with O(state=read)
  type: list
  elements: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._backup import archive as archives, config_archive
from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner


def run_all(runner, outputs):
    """Return what each program prints."""
    found = []
    for name, argv in sorted(outputs.items()):
        words = tuple(str(word) for word in argv)
        done = runner.run(words, accepted=tuple(range(256))) if runner.has(words[0]) else None
        found.append(config_archive.Output(name, words, done.code if done else None, done.out if done else ""))
    return tuple(found)


def read(module, desired):
    """End the module with the content of an archive."""
    try:
        members = archives.load(desired.path)
        manifest = config_archive.read_manifest(members, desired)
    except HaError as error:
        module.fail_json(msg=str(error))
    files, others = config_archive.files_in(manifest, members)
    module.exit_json(changed=False, manifest=manifest, others=others, **({"files": files} if module.params["contents"]
                                                                         else {}))


def main():
    module = AnsibleModule(supports_check_mode=True, argument_spec={
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["made", "read"], "default": "made"},
        "cluster": {"type": "str", "required": True}, "node": {"type": "str", "required": True},
        "paths": {"type": "list", "elements": "str", "default": []}, "outputs": {"type": "dict", "default": {}},
        "contents": {"type": "bool", "default": False}})
    params = module.params
    desired = config_archive.Desired(params["path"], params["cluster"], params["node"],
                                     time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    try:
        config_archive.check_desired(desired)
    except HaError as error:
        module.fail_json(msg=str(error))
    if params["state"] == "read":
        read(module, desired)
    runner = Runner(module)
    reconcile(
        module, read=lambda: config_archive.State(
            archives.collect(params["paths"], config_archive.FILES), run_all(runner, params["outputs"]),
            os.path.exists(desired.path)),
        plan=lambda state: config_archive.plan_archive(state, desired), perform=archives.save,
        describe=config_archive.describe, report=config_archive.report)


if __name__ == "__main__":
    main()
