#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read the state of a cluster in one shape, whichever cluster manager runs it."""
DOCUMENTATION = r"""
module: clustat_facts
short_description: Read the state of a cluster in one shape, whichever engine runs it
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Returns nodes, quorum, quorum devices and groups of the cluster that the host belongs to, as
    C(ansible_facts.clustat), in one shape for heartbeat, rgmanager (with cman, EL5 and EL6) and Pacemaker (2.0 or
    newer, with corosync).
  - Nothing is guessed. V(null) means that no program reported it, an empty list that there is none.
  - Changes nothing, and does not fail because a cluster manager is stopped or not installed.
options:
  engine:
    description:
      - The engine to read.
      - V(auto) is the first that runs of Pacemaker, rgmanager and heartbeat, else the first that is installed.
    type: str
    choices: [auto, heartbeat, pacemaker, rgmanager]
    default: auto
  timeout:
    description: Seconds that each of the programs may take. C(clustat) alone waits 20 s for an rgmanager that hangs.
    type: int
    default: 60
extends_documentation_fragment:
  - linuxha.cluster.attributes.facts
notes:
  - Run it as root. For anybody else C(clustat) does not read the configuration, and Pacemaker and heartbeat may refuse.
  - heartbeat reports of a node only which share of the groups it holds itself. A group that this host does not hold has
    the state V(unknown) here; the facts of the other node tell.
  - heartbeat watches no resource. A group that it holds is V(started) by its account, even if something in it has died.
  - Pacemaker does not count restarts, rgmanager and heartbeat do not count failures.
"""

EXAMPLES = r"""
- name: Read the state of the cluster
  linuxha.cluster.clustat_facts:

- name: Continue only with quorum and with the group test running
  ansible.builtin.assert:
    that:
      - clustat.cluster.quorate
      - clustat.groups | selectattr("name", "equalto", "test") | map(attribute="state") | first == "started"
  vars:
    clustat: "{{ ansible_facts.clustat }}"

- name: Wait until all nodes are online
  linuxha.cluster.clustat_facts:
  register: state
  until: state.ansible_facts.clustat.nodes | default([], true) | rejectattr("online") | length == 0
  retries: 30
  delay: 2
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    clustat:
      description: The state of the cluster, as this host sees it. Each key is always there.
      returned: always
      type: dict
      contains:
        engine:
          description:
            - The engine that was read, V(heartbeat), V(pacemaker), V(rgmanager), or V(keepalived) on a director;
              V(null) without any.
          type: str
          returned: always
        engines:
          description: For each engine, whether it is C(installed) and C(running) on this host.
          type: dict
          returned: always
          sample: {pacemaker: {installed: true, running: true}, rgmanager: {installed: false, running: false}}
        running:
          description: What runs on this host.
          type: dict
          returned: always
          contains:
            cluster_manager:
              description: Whether corosync, cman or heartbeat runs, which know the members.
              type: bool
              returned: always
            resource_manager:
              description:
                - Whether Pacemaker, rgmanager or heartbeat runs, which know the groups; V(null) when it did not answer.
              type: bool
              returned: always
        node:
          description: The cluster's name for this host.
          type: str
          returned: always
        cluster:
          description: The cluster as a whole.
          type: dict
          returned: always
          contains:
            name: {description: Name of the cluster; heartbeat has none., type: str, returned: always}
            id: {description: Number of the cluster (cman)., type: int, returned: always}
            quorate: {description: Whether this node is in the part that may go on., type: bool, returned: always}
            votes:
              description: C(expected) votes when all are there, the C(total) that is there, and those C(needed).
              type: dict
              returned: always
              sample: {expected: 3, total: 5, needed: 3}
            coordinator:
              description: The node that decides for all (Pacemaker's DC, rgmanager's RG master), where there is one.
              type: str
              returned: always
        nodes:
          description: The nodes, with those that are away. V(null) when no cluster manager runs.
          type: list
          elements: dict
          returned: always
          contains:
            name: {description: Name of the node., type: str, returned: always}
            id: {description: Its number., type: int, returned: always}
            kind:
              description: "V(member), or V(remote) for one of Pacemaker without corosync."
              type: str
              returned: always
            local: {description: Whether it is this host., type: bool, returned: always}
            member:
              description: Whether corosync or cman or heartbeat has it as a member.
              type: bool
              returned: always
            online: {description: "Whether it is online, as the engine reports.", type: bool, returned: always}
            resource_manager: {description: Whether the resource manager runs there., type: bool, returned: always}
            votes: {description: Its votes., type: int, returned: always}
            estranged:
              description: Whether it is a member that the configuration does not name.
              type: bool
              returned: always
            standby: {description: Whether it may run nothing (Pacemaker)., type: bool, returned: always}
            maintenance: {description: Whether what it runs is left alone (Pacemaker)., type: bool, returned: always}
            pending: {description: Whether it is still joining., type: bool, returned: always}
            unclean: {description: Whether it has to be fenced first (Pacemaker)., type: bool, returned: always}
            fencing:
              description: Whether this host has requested its fencing, which has not ended yet (Pacemaker).
              type: bool
              returned: always
        quorum_devices:
          description: What helps the nodes to decide who goes on. V(null) when no cluster manager runs.
          type: list
          elements: dict
          returned: always
          contains:
            kind: {description: "V(qdisk), V(qdevice) or V(sbd).", type: str, returned: always}
            name:
              description: The disk, the host of the quorum device, or sbd's disks joined by semicolons.
              type: str
              returned: always
            online:
              description: Whether it is alive; of sbd, whether more than half of its disks can be read.
              type: bool
              returned: always
            votes: {description: The votes that it gives at this moment; sbd gives none., type: int, returned: always}
            algorithm: {description: How a quorum device decides., type: str, returned: always, sample: lms}
        groups:
          description: What the cluster runs. V(null) when the resource manager does not run or does not answer.
          type: list
          elements: dict
          returned: always
          contains:
            name: {description: "Name, without rgmanager's prefix.", type: str, returned: always, sample: test}
            id: {description: The name as the engine spells it., type: str, returned: always, sample: "service:test"}
            kind:
              description:
                - V(group); V(service) or V(vm) of rgmanager; V(resource) for one alone, V(clone), V(bundle) or
                  V(fencing) of Pacemaker.
              type: str
              returned: always
            state:
              description:
                - V(started), V(stopped), V(disabled) (by an administrator), V(failed) (needs an administrator),
                  V(starting), V(stopping), V(recovering), V(recoverable), V(migrating), V(checking), V(uninitialized)
                  or V(unknown).
                - V(unknown) also stands for a group last seen on a node that is unclean.
              type: str
              returned: always
            owner: {description: "The one node that runs it, if it is known.", type: str, returned: always}
            owners:
              description: All nodes that run it; more than one for a clone.
              type: list
              elements: str
              returned: always
            promoted:
              description: The nodes where a promotable clone, as of DRBD, is promoted; V(null) for all other groups.
              type: list
              elements: str
              returned: always
            last_owner: {description: The node that ran it before., type: str, returned: always}
            flags:
              description: V(frozen) when the engine leaves it alone, V(partial) when some of its resources do not run.
              type: list
              elements: str
              returned: always
            restarts: {description: How often rgmanager restarted it., type: int, returned: always}
            failures:
              description: Failures that Pacemaker counts; 1000000 is its infinity.
              type: int
              returned: always
            last_transition:
              description: When it was last started, stopped or moved, in UTC; V(null) for never.
              type: str
              returned: always
              sample: "2010-10-01T13:19:50Z"
            resources:
              description: Its resources in order; V(null) with rgmanager, which does not tell.
              type: list
              elements: dict
              returned: always
              contains:
                name: {description: Name of the resource., type: str, returned: always}
                agent: {description: Its agent., type: str, returned: always, sample: "ocf:heartbeat:IPaddr2"}
                role:
                  description: "V(started), V(stopped), V(promoted), V(unpromoted), ..."
                  type: str
                  returned: always
                owners: {description: The nodes that run it., type: list, elements: str, returned: always}
                managed: {description: Whether Pacemaker manages it., type: bool, returned: always}
                failures: {description: Its failures on all nodes., type: int, returned: always}
        warnings:
          description: What a reader of these facts should know; shown as warnings too.
          type: list
          elements: str
          returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.runner import Runner
from ..module_utils._status import cluster_reader as clustat_reader


def main():
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": ["auto", "heartbeat", "pacemaker", "rgmanager"], "default": "auto"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        facts = clustat_reader.read_cluster(Runner(module), module.params["engine"], module.params["timeout"])
    except HaError as error:
        module.fail_json(msg=str(error))
    for warning in facts["warnings"]:
        module.warn(warning)
    module.exit_json(changed=False, ansible_facts={"clustat": facts})


if __name__ == "__main__":
    main()
