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

import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._core import units
from ..module_utils._core.file_state import read_state
from ..module_utils._core.plan import HaError
from ..module_utils._core.runner import Runner
from ..module_utils._status import (
    cib as status_cib,
    cluster_reader as clustat_reader,
    configuration as status_configuration,
    host as status_host,
)

ANY = tuple(range(256))  # the output of a program counts more than its exit code
KERNEL_TABLE = "/proc/net/ip_vs"
DRIVER = "/sys/module/drbd/version"
MONITOR_FILES = ("/etc/ha.d/*.cf", "/etc/ha.d/conf/*", "/etc/ldirectord.cf", "/etc/ldirectord/*",
                 "/etc/keepalived/keepalived.conf")
CLOCKS = (("chrony", ("chronyc", "-c", "-n", "-m", "tracking", "sources")),
          ("ntp", ("ntpq", "-n", "-c", "rv", "-c", "peers")))

RULES = "/etc/lvs-director.rules"      # of a table that the role lvs_director fills at boot
DRBD_STATES = "/var/lib/linuxha/drbd/*.json"
ATTEMPTS = 3
PAUSE = 1
DISKS = ("df", "--output=target,pcent,ipcent", "/", "/var")


class Host:
    """This host: runs each tool that is installed."""

    def __init__(self, runner, seconds):
        self.runner, self.seconds, self.faults = runner, seconds, {}

    def output_of(self, *argv):
        """Return what a program printed; nothing where it is not installed."""
        if not self.runner.has(argv[0]):
            return ""
        return self.runner.run(argv, accepted=ANY, seconds=self.seconds).out

    def read(self):
        """Return the facts of this host; what cannot be read is None, with the reason in ``faults``."""
        clustat = self.part("clustat", lambda: clustat_reader.read_cluster(self.runner, "auto", self.seconds))
        found = {name: self.part(name, read) for name, read in (
            ("drbd", self.drbd), ("ipvs", self.ipvs), ("cib", self.cib), ("clock", self.clock),
            ("addresses", self.addresses), ("units", lambda: self.units(clustat)), ("disks", self.disks),
            ("configuration", self.configuration), ("unfinished", self.unfinished))}
        return dict(found, clustat=clustat, faults=self.faults, node=os.uname().nodename, root=os.geteuid() == 0)

    def part(self, name, read):
        """Return one part, or None, with the reason in ``faults``."""
        try:
            return read()
        except (HaError, OSError, ValueError) as error:
            self.faults[name] = str(error)
            return None

    def drbd(self):
        driver = self.runner.read_file(DRIVER)
        if driver is None and not self.runner.has("drbdadm"):
            return None
        events = self.output_of("drbdsetup", "events2", "--now", "--statistics") if driver else ""
        found = status_host.drbd_facts(driver.strip() if driver else None, events,
                                       self.output_of("drbdadm", "dump-xml"), os.uname().nodename)
        return dict(found, written=sorted(os.path.basename(path)[:-len(".json")] for path in glob.glob(DRBD_STATES)))

    def ipvs(self):
        table = self.runner.read_file(KERNEL_TABLE)
        paths = sorted({path for pattern in MONITOR_FILES for path in glob.glob(pattern) if os.path.isfile(path)})
        texts = [self.runner.read_file(path) or "" for path in paths]
        if table is None:  # ip_vs is not loaded; ipvsadm would load it
            return status_host.ipvs_facts("", "", texts) if status_host.expected_of(texts) else None
        texts.append(self.runner.read_file(RULES) or "")
        printed = self.output_of("ipvsadm", "-L", "--daemon")
        if any("persistent" in text or " -p " in text for text in [table] + texts):
            printed += self.output_of("ipvsadm", "--save", "-n")
        return status_host.ipvs_facts(table, printed, texts)

    def cib(self):
        """Compare with the file again after a while: Pacemaker writes it a moment after a change."""
        for _attempt in range(ATTEMPTS):
            running = self.output_of("cibadmin", "--query", "--local")
            if "<cib " not in running:
                return None
            files = [self.runner.read_file(path) for path in status_cib.FILES]
            found = status_cib.cib_facts(running, next(filter(None, files), None))
            if found["written"]:
                break
            time.sleep(PAUSE)
        return found

    def clock(self):
        said = [status_host.clock_facts(daemon, self.output_of(*argv)) for daemon, argv in CLOCKS
                if self.runner.has(argv[0])]
        return next((clock for clock in said if clock["answered"]), said[0] if said else None)

    def addresses(self):
        if not self.runner.has("ip"):
            return None
        return status_host.address_facts(self.output_of("ip", "-json", "address", "show"))

    def units(self, clustat):
        if not self.runner.has("systemctl"):
            return None
        return status_host.unit_facts(self.output_of(*units.show(status_host.list_units(clustat))))

    def disks(self):
        return status_host.disk_facts(self.output_of(*DISKS)) if self.runner.has("df") else None

    def configuration(self):
        found = {path: read_state(path) for pattern in status_configuration.PATTERNS for path in glob.glob(pattern)}
        return status_configuration.configuration_facts({
            path: state.content for path, state in found.items() if state.kind == "file"})

    def unfinished(self):
        return [{"file": path, "playbook": playbook} for pattern, playbook in status_host.STATE_FILES
                for path in sorted(glob.glob(pattern))]


def main():
    module = AnsibleModule(argument_spec={"timeout": {"type": "int", "default": 30}}, supports_check_mode=True)
    module.exit_json(changed=False, **Host(Runner(module), module.params["timeout"]).read())


if __name__ == "__main__":
    main()
