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
  - Renders groups of resources for the cluster manager of the host. With O(engine=heartbeat) that is a line for each
    group in C(/etc/ha.d/haresources).
  - Owns only the groups it is given. Other lines and comments stay as they are, byte for byte.
  - >-
    A line is marked with a comment C(# group: NAME) above it. A line without one that shares an address, a mount point,
    a DRBD resource or a service with a given group is taken for that group's.
  - Before anything is written, looks whether the host has each agent, its program, the mount points, devices and
    networks.
  - When heartbeat runs, the node that holds a changed group stops what was removed and starts what was added, and
    leaves the rest alone. What cannot be changed that way is refused.
  - Must run on both nodes with the same groups.
options:
  engine:
    description: The cluster manager.
    type: str
    choices: [heartbeat]
    default: heartbeat
  groups:
    description:
      - The groups. The keys of each are V(name), V(nodes) (preferred node first), V(resources), V(failback),
        V(restricted), V(autostart), V(recovery) (V(relocate), V(restart) or V(disable)) and V(state) (V(present) or
        V(absent)).
      - Each resource is a mapping with one key, its kind.
      - V(ip) has V(address) (with its prefix) and V(nic). V(drbd) has V(resource).
      - V(filesystem) has V(device), V(mountpoint), V(fstype) and V(options). V(service) has V(name).
      - V(mail) has V(to) and V(subject). V(ldirectord) has V(config). V(lvm) has V(group) and V(volume).
      - V(agent), for anything else, has V(name), V(arguments) and V(parameters).
      - heartbeat has no answer to V(autostart=false), to V(recovery) other than V(relocate), to V(failback) other than
        its own C(auto_failback), to IPv6 addresses, or to groups that leave one of its two nodes out. They are refused.
    type: list
    elements: dict
    required: true
  path:
    description: The file that is managed.
    type: path
    default: /etc/ha.d/haresources
  nodes:
    description: The nodes of the cluster. Read from C(/etc/ha.d/ha.cf) when not given.
    type: list
    elements: str
  auto_failback:
    description: Whether heartbeat fails back. Read from C(/etc/ha.d/ha.cf) when not given.
    type: bool
  missing:
    description:
      - What to do when the host lacks an agent, its program, a mount point, a device or a network.
      - The default is V(warn) in check mode, where packages may not be installed yet, and V(fail) otherwise.
    type: str
    choices: [fail, warn]
  wait:
    description: Seconds to wait for heartbeat to finish moving groups before a change is refused.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts exactly what happens.
    support: full
  diff_mode:
    description: Shows the file.
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
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order.
  returned: always
  type: list
  elements: str
running:
  description: Whether heartbeat runs on this host.
  returned: success
  type: bool
holding:
  description: The share of the groups that this host holds, in heartbeat's words; empty when heartbeat does not run.
  returned: success
  type: str
  sample: local
services:
  description: The services of the given groups as the operating system sees them.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the service., type: str, returned: success}
    at_boot: {description: Whether the system starts it at boot., type: bool, returned: success}
    active: {description: Whether it runs now., type: bool, returned: success}
"""

import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.linuxha.cluster.plugins.module_utils import (
    _agents,
    _groups,
    _haresources,
    _heartbeat_words,
)
from ansible_collections.linuxha.cluster.plugins.module_utils._plan import HaError
from ansible_collections.linuxha.cluster.plugins.module_utils._reconcile import reconcile
from ansible_collections.linuxha.cluster.plugins.module_utils._runner import Runner

CONFIGURATION = "/etc/ha.d/ha.cf"


class Heartbeat:
    """The engine heartbeat: what it is asked for, and how to read the host. All thinking is done elsewhere."""

    def __init__(self, module, runner):
        self.module, self.runner, self.params = module, runner, module.params
        self.here = os.uname().nodename
        self.lenient = module.params["missing"] == "warn" or (module.params["missing"] is None and module.check_mode)
        self.groups = ()

    def read(self):
        """Return the file's text and what heartbeat holds here, once the groups themselves are in order."""
        self.groups = _groups.parse_groups(self.params["groups"])
        running = self.runner.has("cl_status") and self.runner.run(["cl_status", "hbstatus"], accepted=(0, 1)).code == 0
        self.check_cluster(running)
        text = self.runner.read_file(self.params["path"])
        return _haresources.State(text, self.holding() if running else "")

    def holding(self):
        """Ask heartbeat what it holds; give a move that is under way the time to end."""
        until = time.time() + self.params["wait"]
        while True:
            word = _haresources.parse_holding(self.runner.run(["cl_status", "rscstatus"]).out)
            if word != "transition" or time.time() >= until:
                return word
            time.sleep(1)

    def check_cluster(self, running):
        """Compare the groups with the cluster that runs, is configured, or is about to be."""
        known = _heartbeat_words.parse_cluster(self.runner.read_file(CONFIGURATION) or "")
        nodes = tuple(self.params["nodes"] or known.nodes)
        failback = known.auto_failback if self.params["auto_failback"] is None else self.params["auto_failback"]
        if running:
            live = self.runner.run(["cl_status", "listnodes", "-n"]).out.split()
            if nodes and sorted(live) != sorted(node.lower() for node in nodes):
                raise HaError("nodes: %s; heartbeat runs here with %s, expected these. To change them, stop heartbeat "
                              "on all of them and remove /var/lib/heartbeat/hostcache"
                              % (", ".join(nodes), ", ".join(live)))
        faults = _heartbeat_words.check_groups(self.groups, _heartbeat_words.Cluster(nodes, failback))
        if nodes and self.here.lower() not in [node.lower() for node in nodes]:
            faults.append("nodes: %s; this host is %s (uname -n), expected it among them"
                          % (", ".join(nodes), self.here))
        if faults:
            raise HaError("\n".join(faults))

    def plan(self, current):
        """Plan the change, after a look at whether this host could carry it."""
        tokens = [_heartbeat_words.token_of(resource) for group in self.groups if group.state == "present"
                  for resource in group.resources]
        lines = _haresources.parse_haresources(current.text or "")
        known = [token for line in lines for token in line.tokens]
        scripts = {token.agent: locate(token.agent) for token in tokens + known if locate(token.agent)}
        wanted = _haresources.plan_haresources(current, self.groups, self.here, self.params["path"], scripts)
        faults = [need.sentence for need in _agents.list_needs(tokens) if not self.is_there(need)]
        faults += self.check_new_addresses(tokens, known, current.holding in ("local", "foreign", "all"))
        if faults and not self.lenient:
            raise HaError("\n".join(faults))
        for fault in faults:
            self.module.warn(fault)
        return wanted

    def is_there(self, need):
        """Say whether the host has what an agent needs."""
        look = {"agent": locate, "tool": self.runner.has, "directory": os.path.isdir, "file": os.path.exists,
                "device": self.runner.is_block_device}
        return bool(look[need.kind](need.name))

    def check_new_addresses(self, tokens, known, holder):
        """Look at the addresses that the file does not have yet; warn of doubts and return faults."""
        old = [_haresources.identity(token) for token in known]
        words = [token.arguments[0] for token in tokens
                 if token.agent == "IPaddr2" and _haresources.identity(token) not in old]
        if not words or not self.runner.has("ip"):
            return []
        addresses = _agents.parse_addresses(self.runner.run(["ip", "-json", "-4", "addr", "show"]).out)
        faults, doubts = _agents.check_addresses(words, addresses, holder)
        for doubt in doubts:
            self.module.warn(doubt)
        return faults

    def report(self, state):
        """Return the module's own values."""
        names = [resource.name for group in self.groups for resource in group.resources
                 if isinstance(resource, _groups.Service)]
        units = []
        if names and self.runner.has("systemctl"):
            units = _agents.parse_units(self.runner.run(
                ["systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState"]
                + [name + ".service" for name in names]).out)
        services = [{"name": unit.name, "active": unit.active, "at_boot": starts_at_boot(unit)}
                    for unit in units if unit.known]
        return {"running": bool(state.holding), "holding": state.holding, "services": services}


def locate(agent):
    """Return the script that heartbeat would run for an agent, or None."""
    for directory in _haresources.AGENT_DIRECTORIES:
        path = os.path.join(directory, agent)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def starts_at_boot(unit):
    """Say whether the system starts a service; one that has only an init script has its links in /etc/rc?.d."""
    if unit.at_boot == "generated":
        return bool(glob.glob("/etc/rc[2-5].d/S[0-9][0-9]" + unit.name))
    return unit.at_boot in ("enabled", "enabled-runtime")


ENGINES = {"heartbeat": Heartbeat}


def main():
    """Hand over to the engine."""
    module = AnsibleModule(
        argument_spec={
            "engine": {"type": "str", "choices": sorted(ENGINES), "default": "heartbeat"},
            "groups": {"type": "list", "elements": "dict", "required": True},
            "path": {"type": "path", "default": "/etc/ha.d/haresources"},
            "nodes": {"type": "list", "elements": "str"},
            "auto_failback": {"type": "bool"},
            "missing": {"type": "str", "choices": ["fail", "warn"]},
            "wait": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    runner = Runner(module)
    engine = ENGINES[module.params["engine"]](module, runner)
    reconcile(module, read=engine.read, plan=engine.plan, perform=runner.perform,
              describe=lambda state: state.text or "", report=engine.report)


if __name__ == "__main__":
    main()
