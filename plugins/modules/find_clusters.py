#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action find_clusters, which runs on the controller only."""
DOCUMENTATION = r"""
module: find_clusters
short_description: Find the clusters of the inventory
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Finds the clusters of the inventory. A cluster is a child group, of any name, of the group of its kind,
    C(drbd_pairs), C(lvs_farms), C(pacemaker_clusters) or C(cman_clusters).
  - Selects the clusters that a run is for, and fails with the names to choose from where there is no such cluster.
  - Reads the inventory on the controller; does not connect to any host. Run it once for a play.
options:
  cluster:
    description: The name of the only cluster that is selected. An empty name selects all.
    type: str
    default: ""
  kinds:
    description: The kinds of clusters that may be selected. An empty list is all kinds.
    type: list
    elements: str
    choices: [drbd_pairs, lvs_farms, pacemaker_clusters, cman_clusters]
    default: []
  required:
    description: Whether to fail where the inventory has no cluster of these kinds.
    type: bool
    default: true
  nodes:
    description:
      - Hosts that the run is about, by the name of the variable that names them. Only the cluster that has them all is
        selected.
    type: dict
    default: {}
extends_documentation_fragment:
  - linuxha.cluster.attributes.facts
"""

EXAMPLES = r"""
- name: Find the clusters
  linuxha.cluster.find_clusters:
    cluster: "{{ cluster | default('') }}"
  register: linuxha_clusters
  run_once: true
"""

RETURN = r"""
clusters:
  description: The hosts of each cluster of the inventory, by the name of the cluster.
  returned: success
  type: dict
  sample: {mail_pair: [mail-a, mail-b]}
hosts:
  description: The cluster and the kind of each host that is in a cluster, its cluster manager, its roles in the order
    in which they are configured, what M(linuxha.cluster.role_plan) plans for them, and its part, C(node) or
    C(real_server).
  returned: success
  type: dict
  sample:
    mail-a: {cluster: mail_pair, kind: drbd_pairs, manager: heartbeat, part: node, roles: [ntp, heartbeat],
      plans: [ntp, heartbeat]}
mapped:
  description: The variables that the roles get of each host of a pair or farm that C(cluster_manager) gives to
    Pacemaker. They are made of those of heartbeat.
  returned: success
  type: dict
  sample:
    mail-a: {pacemaker_cluster_name: mail_pair, pacemaker_groups: [{name: mail, failback: false, resources: []}],
      pacemaker_agent_packages: [], drbd_failover_cluster_manager: pacemaker, lvs_director_cluster_manager: pacemaker}
deprecated:
  description: Whether the inventory has no groups of kinds, and its clusters were found by the names of release 0.1.
  returned: success
  type: bool
  sample: false
selected:
  description: The hosts of the selected clusters, without those of a farm that are neither director nor real server.
  returned: success
  type: list
  elements: str
  sample: [mail-a, mail-b]
"""
