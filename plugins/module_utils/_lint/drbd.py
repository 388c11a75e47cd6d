# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules of DRBD's files, from 0.7 to 9: all files of a host are one configuration.

The value of shared-secret is never in a message, nor is the text of a handler.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import posixpath
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .._core.block_devices import UNSTABLE
from .._drbd.settings import CRM_HANDLER, LOSES_DATA
from .report import Entry, File, Report, is_number
from .sections import parse_drbd

ONLY_9 = ("connection", "connection-mesh", "path")
YES = ("yes", "true", "1", "")


class Option(NamedTuple):
    """An option of a resource: its own, or one of common. ``owner``: the name of the resource, or common."""

    entry: Entry
    report: Report
    owner: str

    def where(self, section: str, name: str = "") -> str:
        """Return the place of the option, or of another one that is missing beside it."""
        return "%s.%s.%s" % (self.owner, section, name or self.entry.name)


class Resource(NamedTuple):
    """A resource with the sections that apply to it, its own first."""

    entry: Entry
    report: Report
    commons: Tuple[Tuple[Entry, Report], ...]

    @property
    def name(self) -> str:
        """Return its name."""
        return self.entry.value

    def find(self, section: str, *names: str) -> List[Option]:
        """Return the options of some names in a section: those of the resource, without any those of common."""
        for top, report in ((self.entry, self.report),) + self.commons:
            owner = self.name if top is self.entry else "common"
            found = [Option(entry, report, owner) for place in _sections(top, section) for entry in place.all(*names)]
            if found:
                return found
        return []

    def first(self, name: str, *sections: str) -> Optional[Option]:
        """Return the option of a name from the first of some sections that has it."""
        return next((found[-1] for section in sections for found in [self.find(section, name)] if found), None)


def _sections(top: Entry, name: str) -> Iterator[Entry]:
    """Return a resource itself, or its sections of a name, also those inside of its connections."""
    if not name:
        yield top
        return
    yield from top.all(name)
    for connection in top.all("connection", "connection-mesh", "on"):
        yield from connection.all(name)


def check_host(files: Sequence[File], report: Dict[str, Report], crm: Optional[bool]) -> None:
    """Check the files of one host. ``crm``: whether heartbeat runs Pacemaker there; None without heartbeat."""
    parsed = [(file, parse_drbd(file.text)) for file in files]
    for file, found in parsed:
        for line, message in found.faults:
            report[file.path].add("syntax", line, message)
        for entry in found.top.all("include"):
            _check_include(entry, file.path, files, report[file.path])
    commons = tuple((entry, report[file.path]) for file, found in parsed for entry in found.top.all("common"))
    resources = [Resource(entry, report[file.path], commons) for file, found in parsed
                 for entry in found.top.all("resource") if entry.inner is not None]
    for resource in resources:
        _check_quorum(resource)
        _check_handlers(resource, crm)
        _check_net(resource)
    _check_taken(resources)


def _check_include(entry: Entry, path: str, files: Sequence[File], report: Report) -> None:
    """Check an include of one file; a pattern may find none. A full path may lie anywhere in the folder."""
    if not entry.value or set(entry.value) & set("*?["):
        return
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.value))
    name = posixpath.basename(entry.value)
    if not any(file.path == place or (entry.value[0] == "/" and posixpath.basename(file.path) == name)
               for file in files):
        report.refuse("drbd-include", entry.line, "include", entry.value, "a file of the folder")


# --- one resource ---------------------------------------------------------------------------------------------------

def hosts_of(resource: Resource) -> List[str]:
    """Return the names of the hosts; those of floating addresses are their addresses."""
    found = [word for entry in resource.entry.all("on") for word in entry.words]
    return found + [" ".join(entry.words) for entry in resource.entry.all("floating", "stacked-on-top-of")]


def _is_9(resource: Resource) -> bool:
    nodes = [entry for on in resource.entry.all("on", "floating") for entry in on.all("node-id")]
    return bool(nodes) or any(resource.entry.all(*ONLY_9)) or bool(resource.first("quorum", "options"))


def _is_8(resource: Resource) -> bool:
    """Whether the resource has what DRBD 9 has no more, or in another section."""
    tops = (resource.entry,) + tuple(top for top, _report in resource.commons)
    return any(True for top in tops for _section in top.all("syncer")) or bool(resource.find("disk", "fencing"))


def _check_quorum(resource: Resource) -> None:
    found = resource.first("quorum", "options")
    if found and len(hosts_of(resource)) == 2 and found.entry.value not in ("off", "no", "1"):
        found.report.refuse("drbd-quorum", found.entry.line, found.where("options"), found.entry.value,
                            "off, or a third host: there are two")


def _scripts(resource: Resource, *events: str) -> Iterator[Tuple[Option, "re.Match[str]"]]:
    """Return the crm-* scripts of some handlers; of all without a name."""
    names = events or tuple({entry.name for top in (resource.entry,) + tuple(top for top, _report in resource.commons)
                             for section in top.all("handlers") for entry in section.entries})
    for option in resource.find("handlers", *names):
        for match in CRM_HANDLER.finditer(option.entry.value):
            yield option, match


def _check_handlers(resource: Resource, crm: Optional[bool]) -> None:
    fencing = resource.first("fencing", "net", "disk")
    fence = resource.find("handlers", "fence-peer", "outdate-peer")
    if fencing and fencing.entry.value != "dont-care" and not fence:
        fencing.report.missing("drbd-fence-peer", fencing.entry.line, fencing.where("handlers", "fence-peer"),
                               "a program that fences the other node, with fencing " + fencing.entry.value)
    for option, match in _scripts(resource, "fence-peer"):
        release = match.group(2) or ""
        events = ("unfence-peer", "after-resync-target")
        if not any(other.group(1) and (other.group(2) or "") == release
                   for event in events for _option, other in _scripts(resource, event)):
            right = "unfence-peer" if release else "after-resync-target"
            option.report.missing("drbd-unfence-peer", option.entry.line, option.where("handlers", right),
                                  "crm-unfence-peer%s.sh" % release)
    for option, script in dict.fromkeys(_all_scripts(resource)):
        if _is_8(resource) if script[1] else _is_9(resource):
            right = script[0].replace(".9.sh", ".sh") if script[1] else script[0].replace(".sh", ".9.sh")
            option.report.refuse("drbd-handler-release", option.entry.line, option.where("handlers"), script[0],
                                 "%s, as the resource has options of DRBD %s" % (right, "8" if script[1] else "9"))
        if crm is False:
            option.report.refuse("drbd-crm-handler", option.entry.line, option.where("handlers"), script[0],
                                 "a program that works without Pacemaker, as ha.cf has no crm")


def _all_scripts(resource: Resource) -> Iterator[Tuple[Option, Tuple[str, str]]]:
    return ((option, (match.group(), match.group(2) or "")) for option, match in _scripts(resource))


def _check_net(resource: Resource) -> None:
    two = resource.first("allow-two-primaries", "net")
    both = bool(two and two.entry.value in YES)
    for name, values in LOSES_DATA.items():
        found = resource.first(name, "net")
        if found and found.entry.value in values:
            found.report.refuse("drbd-two-primaries" if both else "drbd-discards", found.entry.line,
                                found.where("net"), found.entry.value,
                                "disconnect" + (", with allow-two-primaries" if both else ""))
    secret, method = (resource.first(name, "net") for name in ("shared-secret", "cram-hmac-alg"))
    if bool(secret) != bool(method):
        for given in filter(None, (secret, method)):
            other = "cram-hmac-alg" if secret else "shared-secret"
            given.report.missing("drbd-secret", given.entry.line, given.where("net", other),
                                 "it with " + given.entry.name)
    protocol = resource.first("protocol", "net", "")
    if protocol and protocol.entry.value in ("A", "B"):
        protocol.report.refuse("drbd-protocol", protocol.entry.line, protocol.where("net"), protocol.entry.value,
                               "C, which loses no confirmed write")


# --- what only one can have -----------------------------------------------------------------------------------------

class Claim(NamedTuple):
    """What a resource has for itself on a host."""

    kind: str
    host: str
    value: str
    line: int


def _claims(resource: Resource) -> Iterator[Claim]:
    yield Claim("name", "", resource.name, resource.entry.line)
    hosts = [(entry, host) for entry in resource.entry.all("on") for host in entry.words]
    for entry, host in hosts or [(resource.entry, "")]:
        for place in {id(each): each for each in (resource.entry, entry)}.values():
            yield from _claims_of(place, host, entry is place)
    for path in _paths(resource.entry):
        words = path.words
        if len(words) > 2 and words[1] == "address":
            yield Claim("address", words[0], words[-1], path.line)


def _paths(top: Entry) -> Iterator[Entry]:
    for connection in top.all("connection"):
        yield from connection.all("host")
        for path in connection.all("path"):
            yield from path.all("host")


def _claims_of(place: Entry, host: str, own: bool) -> Iterator[Claim]:
    for section in (place,) + tuple(place.all("volume")):
        for entry in section.entries:
            value = entry.words[-1] if entry.words else ""
            if entry.name == "address" and own and value:
                yield Claim("address", host, value, entry.line)
            elif entry.name == "device" and value:
                yield Claim("minor", host, re.sub(r"^/dev/drbd(?=[0-9]+\Z)", "", value), entry.line)
            elif entry.name in ("disk", "meta-disk", "flexible-meta-disk") and value.startswith("/"):
                yield Claim("disk", host, value, entry.line)


def _check_taken(resources: Sequence[Resource]) -> None:
    owners: Dict[Tuple[str, str, str], Tuple[int, int]] = {}
    for index, resource in enumerate(resources):
        for claim in _claims(resource):
            where = "%s.%s" % (resource.name, claim.kind)
            if claim.kind == "disk" and UNSTABLE.match(claim.value.partition("[")[0]):
                resource.report.refuse("drbd-disk-name", claim.line, where, claim.value,
                                       "a logical volume, or a name in /dev/disk/by-id or /dev/mapper")
            if claim.kind == "minor" and not is_number(claim.value):
                continue
            owner, line = owners.setdefault((claim.kind, claim.host, claim.value), (index, claim.line))
            if owner != index or (claim.kind in ("minor", "disk") and line != claim.line):
                resource.report.refuse("drbd-taken", claim.line, where + (" on " + claim.host if claim.host else ""),
                                       claim.value, "one that %s does not have" % (
                                           "the resource " + resources[owner].name if owner != index else
                                           "line %d" % line))
