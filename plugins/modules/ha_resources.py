#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep resource groups in the configuration of a cluster manager."""
DOCUMENTATION = r"""
module: ha_resources
short_description: Keep resource groups in the configuration of a cluster manager
version_added: "0.1.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Brings groups of resources into the cluster manager of the host. With O(engine=heartbeat) that is a line for each
    group in C(/etc/ha.d/haresources), with O(engine=rgmanager) a service in C(/etc/cluster/cluster.conf), with
    O(engine=pacemaker) it is the cluster's configuration, the CIB.
  - Owns only the groups it is given. All else in the configuration stays as it is.
  - Before anything is changed, checks whether the host has each agent and what it needs, and whether the manager
    of the cluster can do what is asked for. What it cannot is refused.
  - >-
    heartbeat: a line is marked with a comment C(# group: NAME) above it. A line without one that shares an address, a
    mount point, a DRBD resource or a service with a given group is taken for that group's. When heartbeat runs, the
    node that holds a changed group stops what was removed and starts what was added, and leaves the rest alone. Must
    run on both nodes with the same groups.
  - >-
    rgmanager: groups are services with a failover domain of their nodes. The file's version is raised only when what it
    says differs, and where cman runs all members take it up (C(ccs_tool update) on EL5; C(cman_tool version -r) on EL6,
    which needs ricci on all nodes, the role C(rhcs_cman) does without). Must run on one node that has quorum.
    V(state=enabled) and V(state=disabled) start and stop a service, V(running_on) moves it, and one that lands
    elsewhere is an error; V(frozen) keeps rgmanager's hands off it. One that an administrator stopped stays so.
  - >-
    pacemaker: must run on one node of the running cluster (C(run_once)). Everything is changed by one patch, which
    Pacemaker takes as a whole, or not at all when somebody else has changed the configuration meanwhile; then it is
    planned again. C(crm_verify) checks the result before, and C(crm_simulate) says what the cluster will do; that is
    part of the diff. Then the module waits until the cluster has done it, and fails when a group that should run does
    not, with the agent's message.
  - >-
    pacemaker: a group of the same name is adopted; its resources keep their ids, and go on running, where they are of
    the same agent for the same address, mount point or volume. In a given group only what is declared is set: an
    administrator's C(target-role), C(maintenance), bans and further parameters stay. What is removed while it runs is
    stopped first, in order, and seen stopped.
options:
  engine:
    description: The cluster manager.
    type: str
    choices: [heartbeat, pacemaker, rgmanager]
    default: heartbeat
  groups:
    description:
      - The groups. The keys of each are V(name), V(nodes) (preferred node first), V(resources), V(failback),
        V(restricted), V(autostart), V(recovery) (V(relocate), V(restart), V(disable) or V(fence)), V(restarts),
        V(restart_window), V(everywhere), V(after), V(state) (V(present), V(absent), V(enabled) or V(disabled)),
        V(running_on), V(frozen) and V(domain).
      - Each resource is a mapping with one key, its kind, and beside it perhaps the key V(options).
      - V(ip) has V(address) (with its prefix) and V(nic). V(drbd) has V(resource); it stands before what uses it.
      - V(filesystem) has V(device), V(mountpoint), V(fstype) and V(options). V(service) has V(name).
      - V(mail) has V(to) and V(subject). V(ldirectord) has V(config). V(lvm) has V(group) and V(volume).
      - >-
        With pacemaker some kinds have further keys, parameters of their agents under their own names. V(ip) has
        V(arp_bg), V(arp_count), V(arp_count_refresh), V(arp_interval), V(arp_sender), V(flush_routes), V(iflabel),
        V(lvs_ipv6_addrlabel), V(lvs_ipv6_addrlabel_value), V(lvs_support), V(nodad), V(noprefixroute),
        V(preferred_lft) and V(run_arping). V(filesystem) has V(fast_stop), V(force_clones), V(force_unmount)
        (V(true), V(false) or V(safe)) and V(run_fsck) (V(auto), V(force) or V(no)). V(lvm) has
        V(vg_access_mode) (V(lvmlockd), V(clvmd), V(system_id) or V(tagging)), V(tag) and V(partial_activation).
        V(drbd) has V(adjust_master_score), V(connect_only_after_promote), V(fail_promote_early_if_peer_primary),
        V(remove_master_score_if_peer_primary), V(stop_outdates_secondary), V(unfence_if_all_uptodate) and
        V(wfc_timeout). heartbeat refuses all of them, rgmanager all but V(force_unmount).
      - V(agent), for anything else, has V(name) (pacemaker's with their class, such as C(ocf:pacemaker:controld)),
        V(arguments) (heartbeat) and V(parameters) (pacemaker).
      - V(options) of a resource are V(name) (its id in pacemaker), V(monitor) with V(interval) and V(timeout), V(start)
        with V(timeout) and V(stop) with V(timeout), all in seconds. pacemaker's defaults are a monitor every 20 s that
        may take 60 s, and 120 s for start and stop; more for shared storage, no monitor for V(mail). A node on which a
        stop takes longer, or fails, is fenced.
      - V(failback=true) lets a group go back to a node that it prefers (C(resource-stickiness) 0), V(false) lets it
        stay (50000, shared out among its resources, where the nodes in V(nodes) are preferred by 1000 each). That is
        finite, so that C(crm_resource --move) and C(pcs resource move) move it. V(restricted=true) keeps it off all
        other nodes (a location rule of -INFINITY).
      - V(recovery=restart) tries the same node V(restarts) times (C(migration-threshold)); without V(restarts), for
        ever. V(relocate) leaves it at the first failure, and has no V(restarts). Failures are forgotten after
        V(restart_window) seconds (C(failure-timeout); 600 with V(relocate)). V(disable) stops what failed
        (C(on-fail=stop)). V(fence), with pacemaker only, fences the node on which a monitor finds a failure
        (C(on-fail=fence)).
      - V(autostart=false) makes a new group that is stopped (C(target-role=Stopped)); one that is there is left alone.
      - V(everywhere=true) runs it on all nodes at once (a clone, interleaved). V(after) names groups that must run on
        the same node before (an order and a colocation constraint).
      - V(state=enabled) and V(state=disabled) start and stop the group; V(present) leaves that as the administrator has
        it. V(running_on) relocates it to a node; it is a failure when it is not there afterwards. V(frozen) takes it
        out of the cluster's hands (C(maintenance=true)) or gives it back. These three may be asked of a group by its
        name alone, without V(nodes) and V(resources); it stays as it is then.
      - heartbeat has no answer to V(autostart=false), to V(recovery) other than V(relocate), to V(failback) other than
        its own C(auto_failback), to groups that leave one of its two nodes out, to V(options) of resources, or to any
        key after V(recovery) but V(state=present) and V(state=absent). They are refused, and so is a V(drbd) in several
        groups, by rgmanager too. An IPv6 address is C(IPv6addr).
      - >-
        pacemaker runs a V(drbd) as a promotable clone of C(ocf:linbit:drbd) on the V(nodes) of the group, which must be
        all that have the DRBD resource: promoted on one of them, with C(notify), LINBIT's timeouts and a monitor for
        each role (every 10 s where it is promoted, every 20 s elsewhere; V(monitor.interval) and twice that). The group
        runs where the clone is promoted (a colocation), once it is (an order). Several groups may use one DRBD
        resource; they run on the same node, and name the same nodes. A clone of the same resource that exists is
        adopted, whatever its name. A clone is removed with the last group that uses it. To remove one, or to change
        its parameters, under a group that runs needs O(restart=true).
      - pacemaker has no agent that is promoted inside of a group, and no V(after) that names a promotable clone; its
        C(ocf:heartbeat:Filesystem) needs V(fstype). V(service) is C(systemd:NAME). V(lvm) is
        C(ocf:heartbeat:LVM-activate) with C(lvmlockd), exclusive, or shared when V(everywhere).
      - rgmanager drops resources of one agent that have the same name (V(options.name), else one that is made of the
        mount point, volume, service or agent), mount point, device, init script or address, that lack an attribute, or
        that are inside of an agent which forbids them. They are refused.
      - V(domain) is the name of a group's failover domain with rgmanager, else that of the group. It has no meaning for
        heartbeat and pacemaker.
    type: list
    elements: dict
    default: []
  fencing:
    description:
      - pacemaker only. V(devices) is the list of all fence devices, each with V(name), V(agent) (such as
        C(fence_ipmilan) or C(external/sbd)) and V(options). V(nodes) is a list of nodes, each with its V(name) and
        V(fencing), a list of levels with V(name) and V(devices); a device there is V(device), the name of one, and its
        V(options) for this node, such as V(port). Other keys of nodes are passed over.
      - Ports become C(pcmk_host_map). Where nodes have further options of their own at a device, each gets a device
        NAME-NODE. A device that no node names is made with just its options.
      - Devices and levels that this module once made and that are not in the list any more are removed, those made by
        hand stay.
    type: dict
  properties:
    description: pacemaker only. Cluster properties by name. Null takes one away; those that are not named stay.
    type: dict
    default: {}
  resource_defaults:
    description: pacemaker only. Defaults of resources (C(rsc_defaults)) by name, in the manner of O(properties).
    type: dict
    default: {}
  operation_defaults:
    description: pacemaker only. Defaults of operations (C(op_defaults)) by name, in the manner of O(properties).
    type: dict
    default: {}
  path:
    description: The file that is managed. The defaults are C(/etc/ha.d/haresources) and
      C(/etc/cluster/cluster.conf); pacemaker has none.
    type: path
  nodes:
    description: heartbeat only. The nodes of the cluster. Read from C(/etc/ha.d/ha.cf) when not given.
    type: list
    elements: str
  auto_failback:
    description: heartbeat only. Whether it fails back. Read from C(/etc/ha.d/ha.cf) when not given.
    type: bool
  missing:
    description:
      - What to do when the host lacks an agent, its program, a mount point, a device or a network, and with pacemaker
        when an agent does not know a parameter.
      - The default is V(warn) in check mode, where packages may not be installed yet, and V(fail) otherwise.
    type: str
    choices: [fail, warn]
  restart:
    description:
      - Whether a running group may be interrupted for a change beneath something that stays, such as another disk under
        a web server. What starts after the first change stops, in order, and starts again. Without it that is refused.
      - rgmanager decides by itself.
    type: bool
    default: false
  wait:
    description: Seconds to wait for the cluster manager to finish what it is doing, or what a change asks for.
    type: int
    default: 300
attributes:
  check_mode:
    description: Predicts exactly what happens.
    support: full
  diff_mode:
    description: Shows the file, or what is declared of the CIB and what the cluster will do. Never shows secrets.
    support: full
"""

EXAMPLES = r"""
- name: A web site that follows its replicated disk
  linuxha.cluster.ha_resources:
    groups:
      - name: web
        nodes: [debian1, debian2]
        resources:
          - ip: {address: 192.168.69.16/24}
          - drbd: {resource: repl}
          - filesystem: {device: /dev/drbd0, mountpoint: /mnt/repl, fstype: ext4}
          - service: {name: apache2}
          - mail: {to: admin@example.com}

- name: No group called test any more
  linuxha.cluster.ha_resources:
    groups:
      - {name: test, state: absent}

- name: Shared storage on every node, and a service on one of them
  linuxha.cluster.ha_resources:
    engine: pacemaker
    properties: {no-quorum-policy: freeze}
    fencing:
      devices:
        - {name: pdu, agent: fence_apc, options: {ip: 192.168.0.9, username: apc, password: "{{ pdu_password }}"}}
      nodes:
        - {name: casper, fencing: [{name: power, devices: [{device: pdu, options: {port: 2}}]}]}
        - {name: melchior, fencing: [{name: power, devices: [{device: pdu, options: {port: 3}}]}]}
    groups:
      - name: storage
        everywhere: true
        resources:
          - agent: {name: "ocf:pacemaker:controld"}
          - agent: {name: "ocf:heartbeat:lvmlockd"}
      - name: test
        nodes: [casper, melchior]
        restricted: true
        failback: false
        recovery: relocate
        after: [storage]
        resources:
          - lvm: {group: magi, volume: test}
          - filesystem: {device: /dev/magi/test, mountpoint: /mnt/magi, fstype: ext4}
          - service: {name: test}
            options: {start: {timeout: 60}, monitor: {interval: 10, timeout: 30}}
  run_once: true

- name: Move it
  linuxha.cluster.ha_resources:
    engine: pacemaker
    groups:
      - {name: test, state: enabled, running_on: melchior}
  run_once: true
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
running:
  description: Whether the cluster manager runs on this host.
  returned: success
  type: bool
holding:
  description: The share of the groups that this host holds, in heartbeat's words; empty when heartbeat does not run.
  returned: success, with heartbeat
  type: str
  sample: local
services:
  description: The services of the given groups as the operating system sees them.
  returned: success, with heartbeat
  type: list
  elements: dict
  contains:
    name: {description: Name of the service., type: str, returned: success}
    at_boot: {description: Whether the system starts it at boot., type: bool, returned: success}
    active: {description: Whether it runs now., type: bool, returned: success}
    state: {description: Its state in rgmanager's words., type: str, returned: with rgmanager}
    owner: {description: The node where it runs or ran; null for none., type: str, returned: with rgmanager}
    frozen: {description: Whether rgmanager keeps its hands off it., type: bool, returned: with rgmanager}
will:
  description: What the cluster did, or would do in check mode, because of the change, as C(crm_simulate) says.
  returned: success, with pacemaker
  type: list
  elements: str
  sample: [start test-test on casper]
groups:
  description: The given groups as they are now.
  returned: success, with pacemaker
  type: list
  elements: dict
  contains:
    name: {description: Name of the group., type: str, returned: success}
    state: {description: "V(started), V(partial) or V(stopped).", type: str, returned: success}
    nodes: {description: Where it runs., type: list, elements: str, returned: success}
    disabled: {description: Whether it was stopped on purpose., type: bool, returned: success}
    frozen: {description: Whether the cluster keeps its hands off., type: bool, returned: success}
    resources: {description: The ids of its resources., type: list, elements: str, returned: success}
    failures: {description: Operations that failed and are not forgotten., type: list, elements: str, returned: success}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._cman.engine import Rgmanager
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._heartbeat import engine as heartbeat
from ..module_utils._pacemaker.cib_text import secrets_in
from ..module_utils._pacemaker.engine import Pacemaker

ENGINES = {"heartbeat": heartbeat.from_module, "pacemaker": Pacemaker, "rgmanager": Rgmanager}


def main():
    """Run the engine."""
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": sorted(ENGINES), "default": "heartbeat"},
            # The host's log, written before anything else, gets neither: there may be passwords in them.
            "groups": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "fencing": {"type": "dict", "no_log": True},
            "properties": {"type": "dict", "default": {}},
            "resource_defaults": {"type": "dict", "default": {}},
            "operation_defaults": {"type": "dict", "default": {}},
            "path": {"type": "path"},
            "nodes": {"type": "list", "elements": "str"},
            "auto_failback": {"type": "bool"},
            "missing": {"type": "str", "choices": ["fail", "warn"]},
            "restart": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    module.no_log_values = set(secrets_in(module.params))  # from now on only what is secret, or nothing could be told
    engine = ENGINES[module.params["engine"]](module, Runner(module))
    # The engine has them; a result shows what is here, with -vvv.
    module.params = dict(module.params, groups="(not shown)", fencing="(not shown)")
    reconcile(module, read=engine.read, plan=engine.plan, perform=engine.perform, describe=engine.describe,
              report=engine.report, settle=engine.settle)


if __name__ == "__main__":
    main()
