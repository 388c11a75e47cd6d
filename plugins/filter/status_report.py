# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Join the facts of all hosts into one status report."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

DOCUMENTATION = r"""
name: status_report
author: The linuxha.cluster maintainers
version_added: "1.0.0"
short_description: Join the facts of all hosts into one status report
description:
  - Joins the results of M(linuxha.cluster.cluster_info) into clusters, and finds problems.
  - An unreachable host is a finding too.
options:
  _input:
    description: What the module returned, by host. Hosts that were skipped are left out.
    type: dict
    required: true
  groups:
    description: The hosts of each group of the inventory, for the names of clusters.
    type: dict
    default: {}
  moment:
    description: Time of the report, as text for its first line.
    type: str
    default: now
  variables:
    description:
      - The variables of each host, such as C(hostvars). Where given, what they declare is compared with the hosts.
      - Read are O(ignore:heartbeat_nodes), O(ignore:heartbeat_groups), O(ignore:drbd_failover_resources),
        O(ignore:lvs_director_services),
        O(ignore:lvs_director_monitor), O(ignore:rhcs_cman_nodes), O(ignore:rhcs_cman_cluster_name) and
        O(ignore:rhcs_cman_stack).
    type: dict
    default: {}
  without:
    description:
      - What may be missing because it joins or leaves, the name of a node that may be offline or in standby, or the
        address of a real server that may get no connections.
      - Or a file that may differ between nodes because a run that changes it may have been interrupted.
    type: list
    elements: str
    default: []
  named:
    description: The resource groups that C(groups) of the result is about. All where it is not given.
    type: list
    elements: str
  managed:
    description: Whether a host on which no cluster manager runs is a finding, whatever its variables declare.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read one host
  linuxha.cluster.cluster_info:
  register: host

- name: Report its findings
  ansible.builtin.debug:
    msg: "{{ ({inventory_hostname: host} | linuxha.cluster.status_report).data.findings }}"
"""

RETURN = r"""
_value:
  description:
    - C(text) is the report for a terminal, C(problems) has the findings by host, one sentence each, C(sentences) has
      each of them once. C(groups) has those of resource groups that should run and do not, with the command to
      type. C(unreachable) names the unreachable hosts.
    - C(data) is the same for programs, with C(moment), C(healthy), C(findings), C(clusters) and C(hosts).
  type: dict
"""


def status_report(results: dict, groups: dict | None = None, moment: str = "now", variables: Mapping | None = None,
                  without: Sequence[str] = (), managed: bool = False, named: Sequence[str] | None = None) -> dict:
    """Return the report as text and as data."""
    from ..module_utils._model.cluster_state import plain
    from ..module_utils._status import (
        cluster_findings as status_of_clusters,
        clusters as status_clusters,
        declared as status_declared,
        host_findings as status_of_hosts,
        text as status_text,
    )
    from ..module_utils._status.report import CRITICAL, host_of, short

    hosts = [host_of(name, result) for name, result in sorted(results.items()) if not result.get("skipped")]
    clusters = status_clusters.join_clusters(hosts, groups or {})
    by_name = {host.name: host for host in hosts}
    found = [one for cluster in clusters for one in status_of_clusters.check_cluster(cluster, by_name)]
    found += status_of_hosts.check_hosts(hosts, clusters)
    declared = {host.name: status_declared.read_variables((variables or {}).get(host.name) or {}) for host in hosts}
    found += status_declared.compare(hosts, clusters, declared)
    found += status_declared.find_unmanaged(hosts, found) if managed else []
    found = status_declared.withhold_starts(found, hosts, declared)
    expected = {short(name) for name in without}
    found = [one for one in found if not one.absent or short(one.absent) not in expected]
    found.sort(key=lambda one: one.level != CRITICAL)
    return {
        "text": status_text.render_report(moment, hosts, clusters, found),
        "problems": {host.name: [f"{one.about}: {one.problem}" for one in found if host.name in one.hosts]
                     for host in hosts},
        "sentences": [f"{one.about}: {one.problem}" for one in found],
        "groups": status_of_clusters.describe_stopped(found, named),
        "unreachable": [name for name, result in sorted(results.items()) if result.get("unreachable")],
        "data": {"moment": moment, "healthy": not found, "findings": plain(tuple(found)),
                 "clusters": plain(clusters),
                 "hosts": {host.name: {"answers": bool(host.said), "error": host.error or None, **host.said}
                           for host in hosts}},
    }


class FilterModule:
    """The filters for Jinja."""

    def filters(self) -> dict:
        return {"status_report": status_report}
