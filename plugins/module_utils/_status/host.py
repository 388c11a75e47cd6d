# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Facts of one host as plain data: DRBD, the kernel's load balancer, the clock, addresses and services.

Used by the module cluster_info, which returns them as JSON.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import ipaddress
import re
from typing import Any, Dict, List, Optional, Sequence

from .._core import host_output, units as systemd
from .._drbd import resource as drbd
from .._heartbeat.resources import unit_of
from .._lvs import ipvs, keepalived, ldirectord, proc_ip_vs as ipvs_kernel
from .._ntp import clock as ntp

# Services that have to run where they are enabled. Others may end when they have done their work, or wait for a socket;
# of those only a failure counts.
DAEMONS = ("sbd", "corosync-qdevice", "corosync-qnetd", "dlm", "lvmlockd", "ipvs-sync", "lvs-realserver", "apache2",
           "httpd", "nginx")
OTHERS = ("heartbeat", "corosync", "pacemaker", "cman", "rgmanager", "chrony", "chronyd", "ntpsec", "ntpd", "iscsid",
          "open-iscsi", "drbd", "ldirectord", "lvs-table", "keepalived")
# State files, which exist from the beginning of a step to its end, and the playbook that continues from them.
STATE_FILES = (("/etc/corosync/authkey.next", "playbooks/rotate_secrets.yml"),
               ("/var/lib/linuxha/rolling_upgrade", "playbooks/rolling_upgrade.yml"),
               ("/var/run/linuxha/pending/*", "site.yml"))
LONGEST_RANGE = 255
_HOST = r"(?:\[[^\]]+\]|[^\[\]:>-]+)"
_TARGET = re.compile(r"(?P<first>%s)(?:->(?P<last>%s))?(?::(?P<port>[0-9]+))?\Z" % (_HOST, _HOST))


def drbd_facts(driver: Optional[str], events: str, configured: str, here: str) -> Dict[str, Any]:
    """Return the resources that run, and those that are configured for this host and do not.

    driver: version of DRBD in the kernel; events: ``drbdsetup events2 --now --statistics``; configured: ``drbdadm
    dump-xml``.
    """
    hosts = drbd.parse_hosts(configured)
    links = drbd.parse_links(events)
    found = [_link_facts(link, [name for name in hosts.get(link.name, ()) if name != here]) for link in links]
    running = {link.name for link in links}
    off = [dict(_link_facts(drbd.Link(name, 0, "", False, drbd.Live()), [each for each in names if each != here]),
                up=False) for name, names in hosts.items() if name not in running and here in names]
    return {"driver": driver, "resources": sorted(found + off, key=lambda each: (each["name"], each["volume"]))}


def _link_facts(link: drbd.Link, others: Sequence[str]) -> Dict[str, Any]:
    facts = dict(link.live._asdict(), name=link.name, volume=link.volume, suspended=link.suspended, up=True,
                 sync_percent=drbd.percentage(link.live))
    facts["peer"] = others[0] if len(others) == 1 else link.peer or None  # 8.4 does not report its name
    facts["syncing"] = link.live.replication in drbd.SYNCING
    facts["equal"] = drbd.is_uptodate(link.live)
    return facts


def expected_of(texts: Sequence[str]) -> Dict[str, List[str]]:
    """Return the real servers that files of ldirectord and keepalived name by number, by service."""
    found: Dict[str, List[str]] = {}
    for text in texts:
        found.update({ipvs.name_of(key): [ipvs.endpoint_of(*name) for name in written.weights]
                      for key, written in _keepalived_of(text).items()})
        for part in re.split(r"^(?=virtual)", text, flags=re.MULTILINE)[1:]:
            for key in ipvs.parse_claims(part):
                found.setdefault(ipvs.name_of(key), []).extend(
                    name for target in sorted(ldirectord.list_targets(part))
                    # with a firewall mark, the kernel keeps the port that clients ask for
                    for name in _servers(target, 0 if key.protocol == "fwmark" else key.port))
    return found


def _servers(target: str, port: int) -> List[str]:
    """Return a real server, or each of a range; nothing for one that is given by name."""
    match = _TARGET.match(target)
    if not match:
        return []
    try:
        first, last = (ipaddress.ip_address(text.strip("[]")) for text in (
            match.group("first"), match.group("last") or match.group("first")))
    except ValueError:
        return []
    return [ipvs.endpoint_of(str(first + step), int(match.group("port") or port))
            for step in range(min(int(last) - int(first), LONGEST_RANGE) + 1)]


def ipvs_facts(table: str, daemons: str, texts: Sequence[str]) -> Dict[str, Any]:
    """Return the services with weights and connections, and the real servers that ldirectord monitors.

    table: ``/proc/net/ip_vs``; daemons: ``ipvsadm -L --daemon``, and ``ipvsadm --save -n``, which tells for how long
    services are persistent; texts: the files of ldirectord, and the rules of a static table. written: the services that
    have a file of the role lvs_director.
    """
    expected, state, declared = expected_of(texts), ipvs.parse_state(daemons), _declared_of(texts)
    services = [_service_facts(virtual, expected) for virtual in ipvs_kernel.parse_connections(table)]
    timeouts = {ipvs.name_of(key): service.timeout for key, service in state.services.items()}
    for service in services:
        service.update(persistent=timeouts.get(service["name"]), declared=declared.get(service["name"]))
    return {"services": services, "expected": expected, "written": sorted(_written_of(texts)),
            "daemons": [daemon._asdict() for daemon in state.daemons]}


def _service_facts(virtual: ipvs_kernel.Virtual, expected: Dict[str, List[str]]) -> Dict[str, Any]:
    family = 6 if ":" in virtual.address else 4
    name = ipvs.name_of(ipvs.Key(virtual.protocol, virtual.address, virtual.port, family))
    servers = [dict(real._asdict(), name=ipvs.endpoint_of(real.address, real.port)) for real in virtual.servers]
    return {"name": name, "scheduler": virtual.scheduler, "servers": servers, "expected": expected.get(name)}


def _keepalived_of(text: str) -> Dict[ipvs.Key, keepalived.Written]:
    return keepalived.parse_file(text) if text.startswith(keepalived.HEAD) else {}


def _written_of(texts: Sequence[str]) -> List[str]:
    """Return the services of which the role lvs_director has written a file, or a part of keepalived's file."""
    names = [written.name for text in texts for written in _keepalived_of(text).values()]
    matches = [re.match(re.escape(ldirectord.WRITTEN) + r" (\S+) ", text) for text in texts]
    return names + [match.group(1) for match in matches if match]


def _declared_of(texts: Sequence[str]) -> Dict[str, Dict[str, Any]]:
    """Return scheduler, persistence and weights of services, by name; ldirectord's files before the rules."""
    found: Dict[str, Dict[str, Any]] = {}
    for text in texts:
        found.update({ipvs.name_of(key): {
            "scheduler": written.scheduler, "persistent": written.timeout,
            "weights": {ipvs.endpoint_of(*name): weight for name, weight in written.weights.items()}}
            for key, written in _keepalived_of(text).items()})
        if text.startswith("-A "):
            for key, service in ipvs.parse_state(text).services.items():
                found.setdefault(ipvs.name_of(key), {
                    "scheduler": service.scheduler, "persistent": service.timeout,
                    "weights": {ipvs.endpoint_of(*name): server.weight for name, server in service.servers.items()}})
        for part in re.split(r"^(?=virtual)", text, flags=re.MULTILINE)[1:]:
            given = dict(re.findall(r"^\s+(scheduler|persistent)\s*=\s*(\w+)", part, re.MULTILINE))
            for key in ipvs.parse_claims(part):
                port = 0 if key.protocol == "fwmark" else key.port
                reals = re.findall(r"^\s+real6?\s*=\s*(\S+)\s+\w+(?:\s+([0-9]+))?", part, re.MULTILINE)
                found[ipvs.name_of(key)] = {
                    "scheduler": given.get("scheduler", "wrr"), "persistent": int(given.get("persistent", 0)),
                    "weights": {name: int(weight or 1) for target, weight in reals for name in _servers(target, port)}}
    return found


def clock_facts(daemon: str, output: str) -> Dict[str, Any]:
    """Return the state of a time daemon; ``sources`` is the number of its sources, ``offset`` in seconds."""
    clock = ntp.PARSERS[daemon](output)
    return {"daemon": daemon, "answered": clock.answered, "source": clock.source or None, "offset": clock.offset,
            "own": clock.source == ntp.OWN_CLOCK, "sources": len(clock.sources)}


def address_facts(output: str) -> List[Dict[str, str]]:
    """Return the addresses of the interfaces, without those of the loopback."""
    return [{"address": each.address, "interface": each.nic} for each in host_output.parse_addresses(output)
            if each.nic != "lo"]


def disk_facts(output: str) -> List[Dict[str, Any]]:
    """Return how full filesystems are, in percent. output: ``df --output=target,pcent,ipcent``, - for not counted."""
    found = {}
    for line in output.splitlines()[1:]:
        words = line.rsplit(None, 2)
        if len(words) == 3:
            space, inodes = (int(word[:-1]) if word[:-1].isdigit() else None for word in words[1:])
            found[words[0]] = {"mountpoint": words[0], "used_percent": space, "inodes_percent": inodes}
    return list(found.values())


def list_units(clustat: Optional[Dict[str, Any]]) -> List[str]:
    """Return the units to read: the known services, and those that heartbeat starts by their name."""
    groups = clustat["groups"] if clustat and clustat["engine"] == "heartbeat" else None
    names = [unit_of(resource) for group in groups or () for resource in group["resources"] or ()]
    return ["%s.service" % name for name in dict.fromkeys(DAEMONS + OTHERS + tuple(names))
            if re.match(r"[\w@.-]+\Z", name)]


def unit_facts(output: str) -> Dict[str, Dict[str, Any]]:
    """Return the installed services, by name. ``off``: it has to run and does not."""
    found = {}
    for unit, fields in systemd.parse_units(output).items():
        name = systemd.service_of(unit)
        state = fields.get("ActiveState", "")
        if systemd.is_loaded(fields):
            enabled = fields.get("UnitFileState", "").startswith("enabled")
            off = state == "failed" or (name in DAEMONS and enabled and state == "inactive")
            found[name] = {"state": state, "enabled": enabled, "off": off}
    return found
