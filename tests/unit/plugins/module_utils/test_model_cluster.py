# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The model of a cluster that both stacks share, and how its variables are read."""

from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._model import cluster as _cluster

FENCED = [
    {"name": "power", "devices": [{"device": "ipmi", "options": {"port": 3, "lanplus": True, "none": None}}]},
    {"devices": [{"device": "ipmi"}]},
]
WHOLE = {
    "rhcs_cman_cluster_name": "magi",
    "rhcs_cman_totem": {"token": "5000", "secauth": "on"},
    "rhcs_cman_two_node": "no",
    "rhcs_cman_fence_devices": [{"name": "ipmi", "agent": "fence_ipmilan", "options": {"passwd": "x"}}],
    "rhcs_cman_nodes": [
        {
            "name": "a.d",
            "id": "1",
            "votes": 2,
            "addresses": ["10.0.0.1", "ring1.a"],
            "fencing": FENCED,
            "unfence": [{"device": "ipmi"}],
            "host": "first",
        },
        {"name": "b", "id": 2, "addresses": ["fd00::1", "10.1.0.2"]},
    ],
    "rhcs_cman_sbd": {
        "devices": ["/dev/sdb"],
        "timeouts": {"watchdog": 5},
        "delay_start": True,
        "agent": "fence_sbd",
        "options": {"SBD_PACEMAKER": "yes"},
    },
    "rhcs_cman_arbiter": {
        "host": "nas",
        "tls": False,
        "tie_breaker": 1,
        "delegate": "nas",
        "heuristics": [{"program": "/bin/true", "tko": 2}],
    },
    "rhcs_cman_quorum_disk": {"device": "/dev/sdb", "label": "q"},
    "rhcs_cman_multicast": {"port": 5405},
    "rhcs_cman_properties": {"no-quorum-policy": "stop"},
    "rhcs_cman_logging": None,
    "rhcs_cman_without_fencing": True,
}


def faults(**changes):
    settings = dict(WHOLE, **{"rhcs_cman_" + name: value for name, value in changes.items()})
    return "\n".join(_cluster.read_cluster(settings, _cluster.CMAN)[1])


def test_everything_that_is_said_is_read():
    cluster = _cluster.parse_cluster(WHOLE, _cluster.CMAN)
    first, second = cluster.nodes
    assert first.fencing[0] == _cluster.FenceLevel(
        "power", (_cluster.DeviceUse("ipmi", (("port", "3"), ("lanplus", "1"))),)
    )
    assert first.fencing[1].name == "level2" and first.unfence == (_cluster.DeviceUse("ipmi", ()),)
    assert (first.id, first.votes, second.votes, second.addresses) == (1, 2, 1, ("fd00::1", "10.1.0.2"))
    assert cluster.totem == {"token": 5000, "secauth": "on"} and cluster.two_node is False
    assert cluster.sbd == _cluster.Sbd(
        ("/dev/sdb",), "/dev/watchdog", {"watchdog": 5}, "true", "fence_sbd", (("SBD_PACEMAKER", "yes"),)
    )
    heuristics = (_cluster.Heuristic("/bin/true", None, None, 2),)
    assert cluster.quorum_device[:6] == ("nas", None, "lms", "off", "1", heuristics)
    assert cluster.properties == (("no-quorum-policy", "stop"),) and cluster.logging == {}
    assert _cluster.unfenced(cluster) == ["b"]


def test_a_nodes_host_is_found():
    cluster = _cluster.parse_cluster(WHOLE, _cluster.CMAN)
    assert [_cluster.host_of(node, ["first", "b", "a"]) for node in cluster.nodes] == ["first", "b"]
    assert _cluster.host_of(cluster.nodes[0]._replace(host=None), ["a"]) == "a"
    assert _cluster.check_hosts(cluster, ["first", "b", "web1"], _cluster.CMAN) == []
    (fault,) = _cluster.check_hosts(cluster, ["first", "c"], _cluster.CMAN)
    assert fault.startswith("rhcs_cman_nodes[1]: 'b' is not valid; expected one of the hosts of the play (first, c)")
    assert _cluster.node_on(cluster, "first", _cluster.CMAN) == cluster.nodes[0]
    with pytest.raises(_cluster.ClusterError, match="rhcs_cman_nodes: has no node for the host c; expected"):
        _cluster.node_on(cluster, "c", _cluster.CMAN)


def test_each_role_has_its_own_variables():
    nodes = [{"name": "a", "id": 1}]
    cluster = _cluster.parse_cluster(
        {"pacemaker_cluster_name": "magi", "pacemaker_nodes": nodes, "pacemaker_quorum_device": {"host": "nas"}},
        _cluster.PACEMAKER,
    )
    assert cluster.quorum_device.host == "nas" and (cluster.quorum_disk, cluster.rm) == (None, ())
    (fault,) = _cluster.read_cluster(
        {"pacemaker_cluster_name": "magi", "pacemaker_nodes": [{"name": "a", "id": 1, "unfence": []}]},
        _cluster.PACEMAKER,
    )[1]
    assert fault.startswith("pacemaker_nodes[0].unfence: there is no such key")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster_name": None}, "rhcs_cman_cluster_name: is missing; expected 1 to 15 letters"),
        ({"nodes": None}, "rhcs_cman_nodes: is missing"),
        ({"nodes": "a"}, "rhcs_cman_nodes: (not shown) is not valid; expected a list"),
        ({"nodes": ["a"]}, "rhcs_cman_nodes[0]: (not shown) is not valid; expected a mapping"),
        ({"two_node": "maybe"}, "rhcs_cman_two_node: 'maybe' is not valid; expected true or false"),
        ({"transport": "tcp"}, "rhcs_cman_transport: 'tcp' is not valid; expected one of auto"),
        ({"sbd": {"devices": ["/dev/a", "/dev/b", "/dev/c", "/dev/d"]}}, "a list of one, two or three devices"),
        ({"sbd": {"timeouts": {"watchdog": True}}}, "rhcs_cman_sbd.timeouts.watchdog: True is not valid"),
        ({"arbiter": {}}, "rhcs_cman_arbiter.host: is missing"),
        ({"arbiter": {"host": "1.2.3"}}, "arbiter.host: '1.2.3'"),
        ({"arbiter": {"host": "nas", "tls": "maybe"}}, "arbiter.tls: 'maybe' is not valid; expected one of on, off"),
        ({"arbiter": {"host": 5}}, "arbiter.host: 5 is not valid"),
        ({"arbiter": {"host": "0.0.0.0"}}, "'0.0.0.0' is not valid"),
        ({"quorum_disk": {"label": 5, "device": "/dev/x"}}, "label: 5 is not valid"),
        ({"quorum_disk": []}, "rhcs_cman_quorum_disk: [] is not valid; expected a mapping"),
        ({"quorum_disk": {"label": "a\nb"}}, "a printable text of 1 to 118 bytes"),
        ({"fence_daemon": "x"}, "rhcs_cman_fence_daemon: (not shown) is not valid; expected options"),
        ({"fence_daemon": {"a b": 1}}, "rhcs_cman_fence_daemon: (not shown) is not valid; expected names of options"),
        ({"fence_devices": []}, "device: 'ipmi' is not valid; expected one of rhcs_cman_fence_devices (empty)"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(changes, message):
    assert message in faults(**changes)
    with pytest.raises(_cluster.ClusterError):
        _cluster.parse_cluster(
            dict(WHOLE, **{"rhcs_cman_" + name: value for name, value in changes.items()}), _cluster.CMAN
        )
