# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files that must be the same on all nodes of a cluster: what a host has, and where two hosts differ.

A host returns 16 bits of a digest for each part of a file, whatever it holds: enough to see that two parts differ, too
few to guess a secret by.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import hashlib
import re
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from .._cman import conf_xml
from .._core.plan import HaError
from .._heartbeat import ha_cf, haresources
from .._pacemaker import corosync_conf
from .report import DEGRADED, Cluster, Finding, Host, Step

Parts = Iterator[Tuple[str, Any]]      # the name of each part, and what it says
KEYS = ("/etc/ha.d/authkeys", "/etc/corosync/authkey", "/etc/cluster/cman_authkey")
DRBD, LDIRECTORD = "the files of DRBD", "the files of ldirectord"
_TOKEN = re.compile(r'[#!][^\n]*|"(?:[^"\\\n]|\\[^\n])*"|[{};]|[^\s{};"]+')


def _ha_cf(text: str) -> Parts:
    lines = [re.split(r"[\s,]+", line.split("#")[0].strip()) for line in text.split("\n")]
    for name in ha_cf.MUST_BE_EQUAL:
        words = [line[1:] for line in lines if line[0] == name]
        yield name, sorted(node.lower() for line in words for node in line) if name == "node" else words


def _haresources(text: str) -> Parts:
    for number, line in enumerate((line for line in haresources.parse_haresources(text) if line.node), 1):
        yield "group %s" % line.group if line.group else "line %d" % number, (line.node.lower(), line.tokens)


def _corosync_conf(text: str) -> Parts:
    for place, value in corosync_conf.parse_conf(text).items():
        if not place.startswith("logging.") and not place.endswith(".bindnetaddr"):  # which may be the node's own
            yield place, value


def _cluster_conf(text: str) -> Parts:
    root = conf_xml.parse_conf(text)
    yield "config_version", root.get("config_version")
    for child in (child for child in root if isinstance(child.tag, str)):  # else a comment
        yield child.tag, conf_xml.canonical(child)


def _blocks(text: str) -> Iterator[Tuple[List[str], List[str]]]:
    """Return the head and the words of each outermost block, as DRBD and keepalived write them."""
    head: List[str] = []
    words: List[str] = []
    depth = 0
    for token in _TOKEN.findall(text):
        if token[0] in "#!":
            continue
        depth += {"{": 1, "}": -1}.get(token, 0)
        if depth == 0 and token == "}":
            yield head, words
            head, words = [], []
        elif depth > 0:
            words.append(token)
        else:
            head.append(token)


def _drbd(text: str) -> Parts:
    for head, words in _blocks(text):
        if head[-2:-1] == ["resource"]:
            yield "resource " + head[-1].strip('"'), words


def _keepalived(text: str) -> Parts:
    """Of a VRRP instance, each director has its own."""
    for head, words in _blocks(text):
        place = next((place for place, word in enumerate(head) if word.startswith("virtual_server")), None)
        if place is not None:
            yield " ".join(head[place:]), words


def _ldirectord(text: str) -> Parts:
    for block in re.split(r"^(?=virtual6?[ \t]*=)", text, flags=re.MULTILINE)[1:]:
        lines = [" ".join(line.split()) for line in block.split("\n") if line.strip() and line.strip()[0] != "#"]
        yield re.sub(r" ?= ?", " ", lines[0]), lines


def _key(text: str) -> Parts:
    yield "", text


READERS: Tuple[Tuple[str, str, Callable[[str], Parts]], ...] = (
    (r"/etc/ha\.d/ha\.cf\Z", "", _ha_cf),
    (r"/etc/ha\.d/haresources\Z", "", _haresources),
    (r"/etc/corosync/corosync\.conf\Z", "", _corosync_conf),
    (r"/etc/cluster/cluster\.conf\Z", "", _cluster_conf),
    (r"/etc/drbd\.d/[^/]+\.res\Z", DRBD, _drbd),
    (r"/etc/keepalived/keepalived\.conf\Z", "", _keepalived),
    ("(%s)\\Z" % "|".join(map(re.escape, KEYS)), "", _key),
    (r"/etc/pacemaker/fencing/", "", _key),
    ("", LDIRECTORD, _ldirectord))
PATTERNS = KEYS + (
    "/etc/ha.d/*.cf", "/etc/ha.d/haresources", "/etc/ha.d/conf/*", "/etc/corosync/corosync.conf",
    "/etc/cluster/cluster.conf", "/etc/pacemaker/fencing/*", "/etc/drbd.d/*.res", "/etc/keepalived/keepalived.conf",
    "/etc/ldirectord.cf", "/etc/ldirectord/*")


def configuration_facts(texts: Mapping[str, str]) -> Dict[str, Dict[str, str]]:
    """Return a short digest of each part of the files, by file. A file that cannot be read is one part."""
    found: Dict[str, Dict[str, str]] = {}
    for path, text in sorted(texts.items()):
        title, read = next((title or path, read) for pattern, title, read in READERS if re.match(pattern, path))
        try:
            parts = list(read(text))
        except HaError:  # of the programs that read it
            parts = [("", text)]
        found.setdefault(title, {}).update({name: _digest(said) for name, said in parts})
    return found


def _digest(said: Any) -> str:
    return hashlib.sha256(repr(said).encode("utf-8", "backslashreplace")).hexdigest()[:4]


def check_configuration(cluster: Cluster, hosts: Mapping[str, Host]) -> List[Finding]:
    """Return a finding for each file that is not the same on two hosts of a cluster."""
    files = [(host, hosts[host].said.get("configuration") or {}) for host in cluster.hosts]
    found = []
    for title in sorted({title for _host, each in files for title in each}):
        holders = [(host, each[title]) for host, each in files if title in each]
        others = [(host, _differing(title, holders[0][1], parts)) for host, parts in holders[1:]]
        names = sorted({name for _host, differing in others for name in differing})
        if names:
            differ = tuple([holders[0][0]] + [host for host, differing in others if differing])
            found.append(_finding(cluster, title, differ, [name for name in names if name]))
    return found


def _differing(title: str, mine: Mapping[str, str], others: Mapping[str, str]) -> List[str]:
    """Return the parts that differ. A DRBD resource may be of some nodes only."""
    return [name for name in set(mine) | set(others) if mine.get(name) != others.get(name)
            and (title != DRBD or (name in mine and name in others))]


def _finding(cluster: Cluster, title: str, hosts: Sequence[str], names: Sequence[str]) -> Finding:
    problem = "%s %s between %s%s; expected the same on all of them" % (
        title, "differ" if title in (DRBD, LDIRECTORD) else "differs", " and ".join(hosts),
        " (%s)" % ", ".join(names) if names else "")
    step = Step("", "ansible-playbook site.yml --check --diff --limit %s" % ",".join(cluster.hosts))
    return Finding(DEGRADED, cluster.title, problem, tuple(hosts), (step,), title)
