# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No text of a variable changes the meaning of cluster.conf: it is refused, or it is read back as it was."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._cman import cluster_conf, conf_xml
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as model
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

HOSTS = ["balthasar", "casper", "melchior"]
AGENT = {"agent": {"name": "mysql", "parameters": {"passwd": "x"}}}
Path = tuple[Any, ...]


@pytest.fixture(name="full")
def fixture_full(magi) -> dict[str, Any]:
    """Return settings in which every variable with a text has one."""
    rings = {f"nodes.{n}.addresses": [f"10.0.0.{n + 1}", f"10.1.0.{n + 1}"] for n in (0, 1, 2)}
    made = magi({
        **rings, "nodes.0.host": "balthasar",
        "nodes.0.unfence": [{"device": "ipmi_casper", "options": {"action": "on"}}],
        "nodes.0.fencing.0.devices.0.options": {"port": "x"}, "fence_devices.1.agent": "fence_scsi",
        "groups.0.running_on": "balthasar.localdomain", "resources": [{**AGENT, "options": {"name": "db"}}],
        "logging": {"logfile": "/var/log/x", "syslog_facility": "daemon",
                    "daemons": [{"name": "corosync", "subsys": "CPG"}]},
        "cman": {"keyfile": "/etc/k", "hash_cluster_id": "yes"}, "fence_daemon.override_path": "/x",
        "extra": {"uidgid": {"uid": "u", "gid": "g"}, "clvmd": {"interface": "eth0"}, "dlm": {"protocol": "tcp"}},
        "totem": {"token": 123000, "rrp_mode": "passive", "secauth": "on", "keyfile": "/etc/k"},
        "rm": {"log_facility": "local4"}, "packages": ["x"], "quorum_disk.device": "/dev/x",
        "quorum_disk.options": {"cman_label": "x", "scheduler": "rr"}})
    made["rhcs_cman_groups"][0]["resources"] += [
        AGENT, {"ip": {"address": "10.0.0.9/24"}}, {"drbd": {"resource": "r"}},
        {"filesystem": {"device": "nas:/x", "mountpoint": "/y", "fstype": "nfs", "options": "ro"}}]
    made["rhcs_cman_resources"][0]["agent"]["name"] = "oradb"
    return made


def texts_in(value: Any, path: Path = ()) -> Iterator[Path]:
    """Return the places of all texts, and of all keys, which are ("key", NAME)."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts_in(inner, (*path, name))
            if path:
                yield (*path, ("key", name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from texts_in(inner, (*path, place))
    elif isinstance(value, str):
        yield path


def spoiled(settings: dict[str, Any], path: Path, sign: str) -> dict[str, Any]:
    made = copy.deepcopy(settings)
    place: Any = made
    for name in path[:-1]:
        place = place[name]
    if isinstance(path[-1], tuple):
        place[path[-1][1] + sign] = place.pop(path[-1][1])
    else:
        place[path[-1]] += sign
    return made


def faults_of(settings: dict[str, Any]) -> list[str]:
    return _roles.validate("rhcs_cman", settings, HOSTS)[1]


@pytest.mark.parametrize("sign", ["\x01", "\n", "\x7f", "\x85", "\u2028", "\ud800", "\ufffe", "\u0666"], ids=ascii)
def test_no_text_has_control_characters_or_other_digits(full, sign):
    assert faults_of(copy.deepcopy(full)) == []
    places = list(texts_in(full))
    assert len(places) > 150
    assert [path for path in places if not faults_of(spoiled(full, path, sign))] == []


@pytest.mark.parametrize("sign", ["<a", '"', "=x", " y", "&", ">"])
def test_no_name_has_a_sign_of_xml(full, sign):
    places = [path for path in texts_in(full) if isinstance(path[-1], tuple)]
    assert [path for path in places if not faults_of(spoiled(full, path, sign))] == []


@pytest.mark.parametrize("sign", ["<a", '"', "'", "&amp;", "]]>", "-->", "é", "\u20ac", "\U0001f600"])
def test_signs_of_xml_in_values_come_back_as_they_were(full, sign):
    """What is accepted is rendered so that it is read back, and is up to date in the next run."""
    accepted = 0
    for path in texts_in(full):
        made = spoiled(full, path, sign)
        if not faults_of(copy.deepcopy(made)):
            accepted += 1
            cluster = model.parse_cluster(made, model.CMAN)
            first = cluster_conf.plan_conf(cluster, made, None)
            assert cluster_conf.plan_conf(cluster, made, first.text) == (first.text, 1, False), path
            values = {value for each in conf_xml.parse_conf(first.text).iter() for value in each.attrib.values()}
            assert any(sign in value for value in values) or _is_elsewhere(path), path
    assert accepted > 5


def _is_elsewhere(path: Path) -> bool:
    """Whether a text is not in cluster.conf: packages, a disk with a label, the name of a host in the inventory."""
    return path[0] == "rhcs_cman_packages" or path[-1] in ("host", "device")
