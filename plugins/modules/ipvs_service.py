#!/usr/bin/python
# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring the kernel's table of virtual services (IPVS) to what is declared."""
DOCUMENTATION = r"""
module: ipvs_service
short_description: Bring virtual services (IPVS, LVS) to what is declared
version_added: "1.0.0"
author:
  - linuxha.cluster maintainers (@linuxha)
description:
  - Adds, changes and removes virtual services and their real servers in the running kernel, from one to a whole table
    in one call, and sets the connection timeouts and the synchronisation daemons.
  - Compares values, and gives only what differs to one C(ipvsadm --restore).
  - New servers come before old ones go, and what is changed is changed in place, so connections live on. A service
    that had a server which takes connections has one at every moment.
  - Everything is checked before the first change. An error names the variable, its value, and what would be right.
  - Another program may change the table at the same time. What failed because of that is planned again, a few times.
  - The table is gone after a reboot.
options:
  services:
    description:
      - The virtual services. A service that is not listed stays as it is, unless O(purge).
      - Each has either V(address) and V(port) (and V(protocol), which is V(tcp), V(udp) or V(sctp); default V(tcp)), or
        V(fwmark), a firewall mark (and V(family), V(ipv4) or V(ipv6); default V(ipv4)).
      - V(scheduler) is V(rr), V(wrr), V(lc), V(wlc) (the default), V(lblc), V(lblcr), V(dh), V(sh), V(sed), V(nq),
        V(fo), V(ovf) or V(mh). V(flags) is a list of V(sh-fallback) and V(sh-port) with V(sh), V(mh-fallback) and
        V(mh-port) with V(mh); V(flag-1), V(flag-2) and V(flag-3) with any.
      - V(persistence) is a mapping of V(timeout) (seconds, default 300), V(netmask) (V(255.255.255.0) or V(24); with
        IPv6 the length of the prefix) and V(engine) (V(sip)). Without it, the service is not persistent.
      - V(one_packet) schedules each datagram on its own (V(udp) and V(fwmark) only).
      - V(port) may be 0, which is all ports, with V(persistence) only.
      - V(state) is V(present) (the default) or V(absent). V(purge) overrides O(purge) for the servers of this service.
      - V(servers) is a list of real servers. One that is not listed stays, unless purged.
      - A server has V(address), V(port) (default that of the service), V(forward), which is V(gate) (direct routing,
        the default), V(ipip) or V(masq), V(weight) (default 1), V(upper_threshold), V(lower_threshold) (when neither is
        given, they stay as they are) and V(state).
      - V(state) of a server is V(present) (the default), V(absent), or V(drained), which gives it weight 0, waits for
        its active connections to end, and removes it.
      - Whatever else is not given for a service or server has its default, also when it is there already.
      - A list, or a list as JSON text (V(table | to_json)). A long one is sent packed.
    type: raw
    default: []
  purge:
    description:
      - Remove services that are not listed, and servers that are not listed from the services that are.
      - Services that a configuration file of ldirectord names are never purged.
    type: bool
    default: false
  keep_weights:
    description: Leave the weights of servers that are there as they are, because a monitor sets them.
    type: bool
    default: false
  keep_quiesced:
    description: Leave those of weight 0 as they are, because a monitor that does not run now found them dead.
    type: bool
    default: false
  drain_limit:
    description: Seconds to wait for the connections of drained servers to end. They are then removed all the same.
    type: int
    default: 300
  wait:
    description:
      - Whether to wait for drained servers.
      - If not, they only get weight 0. A later run removes those that have no active connection left.
    type: bool
    default: true
  timeouts:
    description: Seconds until a silent connection is forgotten, V(tcp), V(tcpfin) and V(udp). What is left out stays.
    type: dict
  sync_daemon:
    description:
      - The daemons of the kernel that synchronise the connections with the other director.
      - V(state) is V(master), V(backup), V(both) (the default) or V(absent). Then V(syncid) (1 to 255, the same on both
        directors) and V(interface), and when needed V(group), V(port), V(ttl) and V(maxlen).
      - A daemon with other values is stopped and started again. What is left out is not compared.
    type: dict
extends_documentation_fragment:
  - linuxha.cluster.attributes
notes:
  - ldirectord changes what its configuration files name. A service that is in one of them (beneath C(/etc/ha.d) or
    C(/etc/ldirectord*), as numbers) and in O(services) gives a warning; with O(keep_weights) or O(keep_quiesced) only
    when it had to be changed while C(ldirectord) runs with that file.
  - With persistence, a drained server goes on getting new connections of its known clients, unless the sysctl
    C(net.ipv4.vs.expire_quiescent_template) is 1.
  - With direct routing the kernel remembers a closed connection for two minutes. A client that uses its port again
    within them is sent to the same server, and waits in vain if that has been removed, unless the sysctl
    C(net.ipv4.vs.conn_reuse_mode) is 2.
  - C(ipvsadm) resolves no names here, and neither does this module. Addresses and ports are numbers.
"""

EXAMPLES = r"""
- name: A web farm with direct routing
  linuxha.cluster.ipvs_service:
    services:
      - address: 192.168.0.3
        port: 80
        scheduler: wlc
        persistence: {timeout: 3600}
        servers:
          - {address: 192.168.0.4, weight: 1}
          - {address: 192.168.0.5, weight: 2}

- name: Take a server out when its connections have ended, at most ten minutes from now
  linuxha.cluster.ipvs_service:
    services:
      - address: 192.168.0.3
        port: 80
        persistence: {timeout: 3600}
        servers:
          - {address: 192.168.0.5, state: drained}
    drain_limit: 600

- name: Nothing but this, and both halves of the synchronisation
  linuxha.cluster.ipvs_service:
    purge: true
    services:
      - {fwmark: 1, scheduler: sh, flags: [sh-port], servers: [{address: 192.168.0.4}, {address: 192.168.0.5}]}
      - {address: 2001:db8::3, port: 53, protocol: udp, servers: [{address: 2001:db8::4, port: 5353, forward: masq}]}
    timeouts: {tcp: 900, udp: 60}
    sync_daemon: {syncid: 1, interface: eth0}
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode, in order. A long list is cut.
  returned: always
  type: list
  elements: str
services:
  description: How many services the table has (in check mode, would have).
  returned: success
  type: int
servers:
  description: How many real servers they have.
  returned: success
  type: int
claimed:
  description: Those of O(services) that ldirectord keeps too.
  returned: success
  type: list
  elements: str
  sample: [tcp 192.168.0.3:80]
undrained:
  description: Servers that were removed at the time limit, with connections.
  returned: success
  type: list
  elements: str
"""

import gc
import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core.plan import HaError
from ..module_utils._core.reconcile import reconcile
from ..module_utils._core.runner import Runner
from ..module_utils._lvs import ipvs, ipvs_plan, ipvs_settings, proc_ip_vs

MONITOR_FILES = ("/etc/ha.d/*.cf", "/etc/ha.d/conf/*", "/etc/ldirectord.cf", "/etc/ldirectord/*")
MONITOR_PID = "/var/run/ldirectord.%s.pid"    # of the ldirectord that keeps a file of this name
ANY_CODE = tuple(range(256))
ATTEMPTS = 3
SECOND = 1


class Table:
    """The table of this host: reads it, changes it, waits for connections to end."""

    def __init__(self, module, runner, desired):
        self.module, self.runner = module, runner
        self.claims = self._read_claims()
        self.desired = desired._replace(spared=frozenset(self.claims))
        self.complaints = []         # what ipvsadm printed at the last change
        self.undrained = []
        self.first = None            # the first state that was planned from, with its plan
        self._planned = (None, None)

    def read(self):
        """Read the table; what is slow to read only when it matters."""
        table = self._open_kernel_table()
        if table is None or (self.module.check_mode and not self.runner.has("ipvsadm")):
            return ipvs.State({})   # ip_vs is not loaded: nothing is there, and ipvsadm would load it
        with table:
            state = proc_ip_vs.parse_kernel(
                table, {key: want.service for key, want in self.desired.services.items()})
        plain = state is not None and (not state.services or ipvs_plan.is_plain(self.desired))
        if plain:
            other = self._list()
            state = state._replace(timeouts=other.timeouts, daemons=other.daemons)
            if not state.services or not self.plan(state).actions:
                return state
        else:
            state = self._list("--save -n")
        if ipvs_plan.needs_details(self.plan(state), self.desired):
            return self._list("--save -n", "-L -n --thresholds")
        return self._list("--save -n") if plain else state

    def _list(self, *commands):
        commands = (["-L --timeout"] if self.desired.timeouts else []) + (
            ["-L --daemon"] if self.desired.sync else []) + list(commands)
        if not commands:
            return ipvs.State({})
        if len(commands) == 1:
            output = self.runner.run(["ipvsadm"] + commands[0].split())
        else:                        # --restore takes any command: all is read by one process
            output = self.runner.run(["ipvsadm", "--restore"], stdin="\n".join(commands) + "\n")
        return ipvs.parse_state(output.out)

    def plan(self, state):
        """Plan from ``state``; planning twice from the same one costs nothing."""
        if self._planned[0] is not state:
            self._planned = (state, ipvs_plan.plan_table(state, self.desired))
        return self._planned[1]

    def plan_first(self, state):
        """Plan, and warn of services that ldirectord keeps too."""
        plan = self.plan(state)
        self.first = (state, plan)
        for key, path in self.claims.items():
            want = self.desired.services.get(key)
            changes = state.services.get(key) is not plan.predicted.services.get(key)
            left = self.desired.keep_weights or self.desired.keep_quiesced
            if want and (not left or changes and self._is_kept_now(path)):
                self.module.warn(
                    "services: %s is also kept by ldirectord (%s), which restores its own servers and weights; "
                    "expected it in only one of them (keep_weights: true leaves at least the weights to ldirectord)"
                    % (ipvs.name_of(key), path))
            elif self.desired.purge and not want and key in state.services:
                self.module.warn("purge: %s is kept by ldirectord (%s) and left as it is" % (ipvs.name_of(key), path))
        return plan

    def perform(self, action):
        """Carry out one action. What ipvsadm refuses is found when the table is read again."""
        if isinstance(action, ipvs_plan.WaitDrained):
            self._wait(action)
            return
        output = self.runner.run(["ipvsadm", "--restore"], accepted=ANY_CODE, seconds=120 + len(action.lines) // 50,
                                 stdin="\n".join(action.lines) + "\n")
        if output.code or output.err.strip():
            self.complaints.append(output.err.strip() or "exit code %d" % output.code)

    def _wait(self, action):
        end = time.monotonic() + action.limit
        while True:
            with self._open_kernel_table() as table:
                state = proc_ip_vs.parse_kernel(table) or self._list("--save -n", "-L -n --thresholds")
            left = ipvs_plan.count_active(state, action.servers)
            if not left or time.monotonic() >= end:
                break
            time.sleep(SECOND)
        for (key, name), count in left.items():
            self.undrained.append("%s of %s" % (ipvs.endpoint_of(*name), ipvs.name_of(key)))
            self.module.warn("server %s still has %d active connections after %d s; it is removed now"
                             % (self.undrained[-1], count, action.limit))

    def settle(self, state):
        """Repeat what failed because another program changed the table; give up after some attempts."""
        for _attempt in range(ATTEMPTS):
            actions = self.plan(state).actions
            if not self.complaints or not actions:
                break
            self.complaints = []
            for action in actions:
                self.perform(action)
            state = self.read()
        actions = self.plan(state).actions
        left = "; ".join(action.sentence for action in actions)
        if actions and self.complaints:
            raise ipvs.IpvsError("ipvsadm refused a part of the change, also when it was repeated: %s. Not done: %s"
                                 % ("; ".join(dict.fromkeys("; ".join(self.complaints).splitlines())), left))
        if actions and self.desired.wait:
            self.module.warn("the table differs from what was set: %s is to be done again. Another program changes it, "
                             "or the kernel keeps another value than it was given" % left)
        return state

    def describe(self, state):
        """Show what differs, as lines for ipvsadm."""
        before, after = ipvs_plan.difference(self.first[0], self.first[1].predicted)
        return before if state is self.first[0] else after

    def report(self, state):
        """Return the module's own values."""
        return {
            "services": len(state.services),
            "servers": sum(len(service.servers) for service in state.services.values()),
            "claimed": [ipvs.name_of(key) for key in self.claims if key in self.desired.services],
            "undrained": self.undrained,
        }

    @staticmethod
    def _open_kernel_table():
        try:
            return open(proc_ip_vs.KERNEL_TABLE, encoding="ascii")
        except FileNotFoundError:
            return None

    @staticmethod
    def _is_kept_now(path):
        return os.path.exists(MONITOR_PID % os.path.basename(path))

    def _read_claims(self):
        claims = {}
        for path in sorted({path for pattern in MONITOR_FILES for path in glob.glob(pattern) if os.path.isfile(path)}):
            try:
                text = self.runner.read_file(path) or ""
            except UnicodeDecodeError:
                self.module.warn("%s is not UTF-8 text; expected it, to see which services ldirectord keeps" % path)
                continue
            for key in sorted(ipvs.parse_claims(text)):
                claims.setdefault(key, path)
        return claims


def main():
    """Validate the parameters, and run the reconcile loop."""
    gc.disable()  # a table may have tens of thousands of servers, and all of them are needed to the end
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "raw", "default": []},
            "purge": {"type": "bool", "default": False},
            "keep_weights": {"type": "bool", "default": False},
            "keep_quiesced": {"type": "bool", "default": False},
            "drain_limit": {"type": "int", "default": 300},
            "wait": {"type": "bool", "default": True},
            "timeouts": {"type": "dict"},
            "sync_daemon": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    try:
        desired = ipvs_settings.read_params(module.params)
    except HaError as error:
        module.fail_json(msg=str(error))
    table = Table(module, Runner(module), desired)
    reconcile(module, read=table.read, plan=table.plan_first, perform=table.perform, describe=table.describe,
              report=table.report, settle=table.settle)


if __name__ == "__main__":
    main()
