#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the state of a host's cluster, disks, load balancer and clock in one task."""
DOCUMENTATION = r"""
module: cluster_info
short_description: Gather the state of a host's cluster in one task
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Reads the cluster as M(linuxha.cluster.clustat_facts) does, DRBD, the kernel's load balancer, the clock, the
    addresses and the services of a host in one task. C(playbooks/status.yml) joins the results of all hosts.
  - What is not installed is V(null), never guessed. What could not be read is named in RV(faults); the rest is read
    all the same.
  - Changes nothing.
options:
  timeout:
    description: Timeout of each program in seconds.
    type: int
    default: 30
extends_documentation_fragment:
  - linuxha.cluster.attributes.facts
notes:
  - Run it as root. Several programs fail for other users.
"""

EXAMPLES = r"""
- name: Gather the state of the host
  linuxha.cluster.cluster_info:
  register: host

- name: Verify that DRBD is UpToDate on both sides
  ansible.builtin.assert:
    that: host.drbd.resources | rejectattr("equal") | length == 0
"""

RETURN = r"""
node:
  description: The host's own name.
  type: str
  returned: success
root:
  description: Whether it was read as root.
  type: bool
  returned: success
clustat:
  description: What M(linuxha.cluster.clustat_facts) returns; V(null) when it could not be read.
  type: dict
  returned: success
drbd:
  description:
    - C(driver) and C(resources), one for each volume and other host; V(null) where DRBD is not installed.
    - A resource that is configured for this host and does not run has C(up) V(false).
    - C(written) names those that the role drbd_failover or the module drbd_resource has set up.
  type: dict
  returned: success
  sample: {driver: "8.4.11", resources: [{name: repl, up: true, role: Primary, disk: UpToDate, connection: Connected,
    replication: SyncSource, sync_percent: 32.8, syncing: true, equal: false, peer: debian2}]}
ipvs:
  description:
    - C(services) with weights and connections, C(daemons) that synchronise connections, and by service what ldirectord
      or keepalived has C(expected); V(null) where ip_vs is not loaded and nothing is expected.
    - C(declared) of a service is what its file says, and C(written) names those with a file of the role lvs_director.
  type: dict
  returned: success
cib:
  description:
    - C(moves), the constraints that C(crm_resource --ban) and C(--move) left, and whether C(cib.xml) has what runs
      (C(written)), and the C(groups) that this collection has written; V(null) where Pacemaker does not run.
    - C(drbd), the clones of DRBD resources with the nodes that have them, the groups that need them promoted, and the
      constraints of DRBD's fence-peer handler (C(fences)).
  type: dict
  returned: success
  sample: {moves: [{id: cli-ban-web-on-node1, kind: ban, resource: web, node: node1}], drbd: [], written: true,
            groups: [web]}
clock:
  description: The state of chrony or ntpd; V(null) where neither is installed. C(offset) is in seconds.
  type: dict
  returned: success
  sample: {daemon: chrony, answered: true, source: 192.168.69.254, offset: -0.000002144, own: false, sources: 2}
addresses:
  description: Addresses of the interfaces, without those of the loopback; V(null) without iproute2.
  type: list
  elements: dict
  returned: success
units:
  description: The installed services of a cluster, by name; V(null) without systemd.
  type: dict
  returned: success
  sample: {sbd: {state: active, enabled: true, "off": false}}
disks:
  description: How full the filesystems of / and /var are; V(null) without C(df).
  type: list
  elements: dict
  returned: success
  sample: [{mountpoint: /, used_percent: 42, inodes_percent: 7}]
configuration:
  description:
    - By file, 16 bits of a digest of each part that must be the same on all nodes, by its name; never what it says.
    - C(playbooks/status.yml) compares them. Files are those of heartbeat, ldirectord, keepalived, corosync, cman and
      DRBD.
  type: dict
  returned: success
  sample: {/etc/ha.d/ha.cf: {deadtime: 3f2a, node: 91bd}, /etc/ha.d/authkeys: {"": c04e}}
unfinished:
  description:
    - Interrupted runs on this host, the state C(file) of each, and the C(playbook) to run again.
  type: list
  elements: dict
  returned: success
  sample: [{file: /etc/corosync/authkey.next, playbook: playbooks/rotate_secrets.yml}]
faults:
  description: What could not be read, and why, by the name of the part.
  type: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.runner import Runner
from ..module_utils._status.host_reader import Host


def main():
    module = AnsibleModule(argument_spec={"timeout": {"type": "int", "default": 30}}, supports_check_mode=True)
    module.exit_json(changed=False, **Host(Runner(module), module.params["timeout"]).read())


if __name__ == "__main__":
    main()
