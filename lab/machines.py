"""Read the machines of a lab from an Ansible inventory.

A host that has ``lab_nics`` is a machine of the lab:

    lab_nics:                       # in the order of the interfaces
      eth0: {segment: front, mac: "52:54:00:69:00:14", address: 192.168.69.14/24}
    lab_disks: {ubdb: 256M}         # raw disks beside the system disk ubda
    lab_memory: 384M
    lab_release: bookworm
    lab_hostname: mx1               # what `uname -n` prints, where it is not the inventory name
    lab_autostart: true             # false: `up` starts it only when it is named
    lab_bmc: {segment: lab, address: 198.18.0.211/24}   # IPMI over LAN; ``lab`` is the lab's own management network
    lab_bmc_user: fence             # who may log in there; no templates, like all that the lab reads
    lab_bmc_password: some-word

``lab_segments`` (for all hosts) gives the lab's own address in each segment, from which clients reach the machines:

    lab_segments: {front: 192.168.69.254/24, crossover: null}
"""

import ipaddress
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from lab.errors import LabError
from lab.paths import CHECKOUT

ADDRESSES = {"address": 4, "address6": 6}  # keys of a network card, with the versions of IP
MANAGEMENT = ipaddress.ip_network("198.18.0.0/24")  # addresses set aside for test labs (RFC 2544); ssh goes here
MANAGEMENT_NIC = "lab0"
MANAGEMENT_SEGMENT = "lab"
RELEASES = ("bookworm", "bullseye", "trixie")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
MOST_MACHINES = 200


class Nic(NamedTuple):
    """A network card. ``address`` is "192.168.69.14/24" and ``address6`` "2001:db8::14/64", or "" for none."""

    name: str
    segment: str
    mac: str
    address: str
    address6: str = ""


class Bmc(NamedTuple):
    """A machine's BMC: where it listens, and who may log in."""

    segment: str
    address: str
    user: str
    password: str


class Machine(NamedTuple):
    """A machine as the inventory describes it. Sizes in bytes; ``management`` is the address that ssh uses."""

    name: str
    memory: int
    disks: dict[str, int]
    nics: tuple[Nic, ...]
    release: str
    autostart: bool
    management: str
    hostname: str
    bmc: Bmc | None


class Inventory(NamedTuple):
    """All machines by name, the lab's own address in each segment ("" for none), the machines of each group."""

    machines: dict[str, Machine]
    segments: dict[str, str]
    groups: dict[str, list[str]]


def load(inventory: Path, cache: Path, release: str | None = None) -> Inventory:
    """Read the inventory through ansible-inventory; the result is kept in ``cache`` until a file of it changes."""
    stamp = _stamp(inventory)
    try:
        kept = json.loads(cache.read_text())
        if kept["stamp"] == stamp:
            return parse(kept["inventory"], release)
    except (OSError, ValueError, KeyError):
        pass  # never read before, or cut off while being written: read it again
    listed = _ansible_inventory(inventory)
    result = parse(listed, release)
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"stamp": stamp, "inventory": listed}))
    partial.replace(cache)
    return result


def _stamp(inventory: Path) -> list[list[Any]]:
    if not inventory.exists():
        raise LabError(f"--inventory: {inventory} is not valid; expected an inventory")
    files = [inventory] if inventory.is_file() else sorted(p for p in inventory.rglob("*") if p.is_file())
    return [[str(p), p.stat().st_mtime_ns, p.stat().st_size] for p in files]


def _ansible_inventory(inventory: Path) -> dict[str, Any]:
    beside = Path(sys.executable).parent / "ansible-inventory"
    candidates = [str(beside), str(CHECKOUT / ".venv/bin/ansible-inventory"), shutil.which("ansible-inventory")]
    program = next((c for c in candidates if c and os.access(c, os.X_OK)), None)
    if program is None:
        raise LabError("cannot read the inventory: ansible-inventory is not installed. To continue: make environment")
    done = subprocess.run([program, "-i", str(inventory), "--list"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"cannot read {inventory}: {done.stderr.strip()}")
    listed: dict[str, Any] = json.loads(done.stdout)
    return listed


def parse(listed: dict[str, Any], release: str | None = None) -> Inventory:
    """Turn what ``ansible-inventory --list`` prints into machines; LabError names host, variable and value."""
    hostvars = listed.get("_meta", {}).get("hostvars", {})
    described = {name: v for name, v in hostvars.items() if "lab_nics" in v}
    if len(described) > MOST_MACHINES:
        raise LabError(f"the inventory describes {len(described)} machines; expected at most {MOST_MACHINES}")
    machines: dict[str, Machine] = {}
    segments: dict[str, str] = {}
    for index, (name, variables) in enumerate(sorted(described.items())):
        chosen = variables | ({"lab_release": release} if release else {})
        machines[name] = _machine(name, chosen, str(MANAGEMENT[index + 10]))
        for segment, address in variables.get("lab_segments", {}).items():
            segments[segment] = _address(f"lab_segments.{segment}", address or "")
    for machine in machines.values():
        for segment in [nic.segment for nic in machine.nics] + ([machine.bmc.segment] if machine.bmc else []):
            segments.setdefault(segment, "")
    _refuse_duplicates(machines)
    groups = {group: [n for n in _members(listed, group) if n in machines] for group in listed if group != "_meta"}
    return Inventory(machines, segments, groups)


def _members(listed: dict[str, Any], group: str) -> list[str]:
    """Return the hosts of a group and of the groups in it, each once."""
    entry = listed.get(group, {})
    deeper = [name for child in entry.get("children", []) for name in _members(listed, child)]
    return list(dict.fromkeys([*entry.get("hosts", []), *deeper]))


def _machine(name: str, variables: dict[str, Any], management: str) -> Machine:
    release = variables.get("lab_release", RELEASES[0])
    if release not in RELEASES:
        raise LabError(f"{name}: lab_release: {release} is not valid; expected one of {', '.join(RELEASES)}")
    nics = []
    for nic, value in variables["lab_nics"].items():
        where = f"{name}: lab_nics.{nic}"
        if not isinstance(value, dict) or not {"segment", "mac"} <= set(value) <= {"segment", "mac", *ADDRESSES}:
            raise LabError(f"{where}: {value!r} is not valid; expected segment, mac and (optional) address, address6")
        if not re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", value["mac"]) or int(value["mac"][1], 16) & 1:
            raise LabError(
                f"{where}.mac: {value['mac']} is not valid; expected a unicast MAC such as 52:54:00:00:00:01"
            )
        addresses = [_address(f"{where}.{key}", value.get(key, ""), version) for key, version in ADDRESSES.items()]
        nics.append(Nic(nic, value["segment"], value["mac"], *addresses))
    disks = {disk: size_of(f"{name}: lab_disks.{disk}", size) for disk, size in variables.get("lab_disks", {}).items()}
    for disk in disks:
        if not re.fullmatch(r"ubd[b-h]", disk):
            raise LabError(f"{name}: lab_disks: {disk} is not valid; expected names from ubdb to ubdh")
    memory = size_of(f"{name}: lab_memory", variables.get("lab_memory", "384M"))
    return Machine(
        name,
        memory,
        disks,
        tuple(nics),
        release,
        bool(variables.get("lab_autostart", True)),
        management,
        variables.get("lab_hostname", name),
        _bmc(name, variables),
    )


def _bmc(name: str, variables: dict[str, Any]) -> Bmc | None:
    value = variables.get("lab_bmc")
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"segment", "address"}:
        raise LabError(f"{name}: lab_bmc: {value!r} is not valid; expected segment and address")
    user, password = (str(variables.get(key) or "") for key in ("lab_bmc_user", "lab_bmc_password"))
    for key, word, longest in (("lab_bmc_user", user, 16), ("lab_bmc_password", password, 20)):  # as IPMI 2.0 has it
        if not 0 < len(word.encode()) <= longest or "{{" in word:
            raise LabError(f"{name}: {key}: (not shown) is not valid; expected 1 to {longest} bytes, no template")
    address = _address(f"{name}: lab_bmc.address", value["address"])
    if not address:
        raise LabError(f"{name}: lab_bmc.address: {address} is not valid; expected an address")
    return Bmc(value["segment"], address, user, password)


def _address(where: str, value: str, version: int = 4) -> str:
    try:
        found = ipaddress.ip_interface(value) if value else None
    except ValueError:
        found = None
    if value and (found is None or found.version != version):
        example = "192.168.69.14/24" if version == 4 else "2001:db8::14/64"
        raise LabError(f"{where}: {value} is not valid; expected an address such as {example}")
    return str(found or "")


def size_of(where: str, value: str) -> int:
    """Return the bytes of a size such as 256M."""
    found = re.fullmatch(r"(\d+)([KMG])", str(value))
    if not found or int(found[1]) == 0:
        raise LabError(f"{where}: {value} is not valid; expected a size such as 256M")
    return int(found[1]) * UNITS[found[2]]


def _refuse_duplicates(machines: dict[str, Machine]) -> None:
    seen = {machine.management: f"{machine.name} {MANAGEMENT_NIC}" for machine in machines.values()}
    for machine in machines.values():
        for nic in machine.nics:
            for thing in (nic.mac, nic.address.split("/")[0], nic.address6.split("/")[0]):
                if thing and thing in seen:
                    raise LabError(f"{thing} is used by both {seen[thing]} and {machine.name} {nic.name}")
                seen[thing] = f"{machine.name} {nic.name}"
        if machine.bmc:
            address = machine.bmc.address.split("/")[0]
            if address in seen:
                raise LabError(f"{address} is used by both {seen[address]} and the BMC of {machine.name}")
            seen[address] = f"the BMC of {machine.name}"
