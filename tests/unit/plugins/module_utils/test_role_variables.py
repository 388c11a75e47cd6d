# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of all roles, with anything in the place of any value: messages, never an exception."""
from __future__ import annotations

import copy
from typing import Any, Iterator

import pytest
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles
from hypothesis import given, settings, strategies as st

HOSTS = ["debian1", "debian2"]
SECRET = "s3cr3t-s3cr3t"
NODES = [{"name": name, "id": number, "addresses": ["10.0.0.%d" % number],
          "fencing": [{"devices": [{"device": "ipmi", "options": {"passwd": SECRET}}]}]}
         for number, name in enumerate(HOSTS, 1)]
FENCE_DEVICES = [{"name": "ipmi", "agent": "fence_ipmilan", "options": {"passwd": SECRET}}]
GROUP: dict[str, Any] = {
    "name": "web", "nodes": HOSTS, "resources": [
        {"ip": {"address": "192.168.69.16/24"}}, {"drbd": {"resource": "repl"}}, {"lvm": {"group": "vg"}},
        {"filesystem": {"device": "/dev/drbd0", "mountpoint": "/mnt/repl", "fstype": "ext4"}},
        {"service": {"name": "apache2"}}, {"mail": {"to": ["root"]}},
        {"agent": {"name": "Delay", "arguments": ["3"]}}]}
GOOD: dict[str, dict[str, Any]] = {
    "apache": {
        "apache_listen": ["*:80"], "apache_server_name": "www", "apache_server_admin": "root@localhost",
        "apache_document_root": "/mnt/repl/www", "apache_document_root_mount": "/mnt/repl",
        "apache_processes": {"MaxRequestWorkers": 10}, "apache_first_page": "<h1>page</h1>\n"},
    "clvm": {
        "clvm_targets": [{"portal": "192.168.0.10", "iqn": "iqn.2010-09.x:y", "timeouts": {"login_timeout": 5},
                          "chap": {"user": "a", "password": SECRET}, "options": {"node.session.queue_depth": 64}}],
        "clvm_volume_groups": [{
            "name": "vg", "devices": ["/dev/disk/by-id/wwn-1"], "extent_size": "8M", "volumes": [
                {"name": "lv", "size": "1G", "filesystem": {"type": "gfs2", "lock_table": "a:b", "journals": 2}}]}],
        "clvm_lvm_conf": {"log/verbose": 1}, "clvm_filter_accept": ["^/dev/sda2$"],
        "clvm_locking_operations": {"stop": 300}},
    "drbd_failover": {
        "drbd_failover_resources": [{
            "name": "repl", "device": "/dev/drbd0", "port": 7788, "initial_sync": {"from": "debian1"},
            "net": {"shared_secret": SECRET}, "disk": {"c_max_rate": "100M"}, "startup": {"wfc_timeout": 5},
            "filesystem": {"type": "ext4", "mountpoint": "/mnt/repl"}, "nodes": [
                {"name": "debian1", "disk": "/dev/sdb", "address": "10.0.0.1", "meta_disk": "/dev/sdc[0]"},
                {"name": "debian2", "disk": "/dev/sdb", "address": "10.0.0.2"}]}],
        "drbd_failover_destroy": ["debian1:/dev/sdb"], "drbd_failover_accept_data_loss": ["repl"]},
    "heartbeat": {
        "heartbeat_nodes": HOSTS, "heartbeat_secret": SECRET, "heartbeat_bcast": ["eth1"],
        "heartbeat_mcast": [{"device": "eth0", "group": "239.1.1.1", "port": 694}],
        "heartbeat_ucast": [{"device": "eth1", "address": "10.0.0.1"}, {"device": "eth1", "address": "10.0.0.2"}],
        "heartbeat_ping_group": [{"name": "routers", "addresses": ["10.0.0.3"]}],
        "heartbeat_respawn": [{"user": "root", "command": "/bin/true"}],
        "heartbeat_apiauth": [{"service": "dopd", "users": ["root"]}],
        "heartbeat_stonith_host": [{"from": "*", "type": "baytech", "parameters": "10.0.0.3 login " + SECRET}],
        "heartbeat_groups": [GROUP]},
    "lvs_director": {
        "lvs_director_globals": {"checktimeout": 10, "fallback": "127.0.0.1:80", "emailalert": ["root@localhost"]},
        "lvs_director_services": [{
            "name": "http", "virtual": "192.168.1.100:80", "protocol": "tcp", "scheduler": "wlc", "persistent": 300,
            "netmask": "255.255.255.0", "checktype": "negotiate", "service": "http", "request": "index.html",
            "receive": "page", "fallback": "127.0.0.1:80 gate", "quiescent": False, "real": [
                {"address": "192.168.1.102", "to": "192.168.1.103", "forward": "gate", "weight": 1}]}],
        "lvs_director_sysctls": {"net.ipv4.ip_forward": "1"}},
    "lvs_realserver": {"lvs_realserver_vips": ["192.168.1.100"]},
    "ntp": {
        "ntp_pools": ["pool.example"], "ntp_servers": [{"host": "10.0.0.1", "minpoll": 4, "maxpoll": 5}],
        "ntp_allow": ["10.0.0.0/8"], "ntp_extra_lines": ["log tracking"], "ntp_step_threshold": 1.0},
    "pacemaker": {
        "pacemaker_cluster_name": "magi", "pacemaker_nodes": NODES, "pacemaker_fence_devices": FENCE_DEVICES,
        "pacemaker_totem": {"token": 5000}, "pacemaker_properties": {"no-quorum-policy": "stop"},
        "pacemaker_sbd": {"devices": ["/dev/disk/by-id/scsi-1"], "timeouts": {"watchdog": 10, "msgwait": 20}},
        "pacemaker_quorum_device": {"host": "nas", "tls": "off", "algorithm": "ffsplit", "tie_breaker": "lowest",
                                    "heuristics": [{"program": "/bin/true"}]},
        "pacemaker_logging": {"debug": True}, "pacemaker_groups": [{**GROUP, "resources": [
            each for each in GROUP["resources"] if not {"drbd", "agent"} & set(each)] + [
                {"agent": {"name": "ocf:heartbeat:Dummy", "parameters": {"state": SECRET}}}]}]},
    "rhcs_cman": {
        "rhcs_cman_stack": "cman", "rhcs_cman_release": "el6", "rhcs_cman_cluster_name": "magi",
        "rhcs_cman_nodes": NODES, "rhcs_cman_fence_devices": FENCE_DEVICES, "rhcs_cman_totem": {"token": 10000},
        "rhcs_cman_cman": {"keyfile": "/etc/cluster/key"}, "rhcs_cman_extra": {"dlm": {"plock_debug": "1"}},
        "rhcs_cman_rm": {"log_level": "5"}, "rhcs_cman_fence_daemon": {"post_join_delay": 3},
        "rhcs_cman_quorum_disk": {"label": "quorum", "votes": 1}, "rhcs_cman_multicast": {"address": "239.192.1.1"},
        "rhcs_cman_logging": {"debug": True, "daemons": [{"name": "fenced"}]},
        "rhcs_cman_resources": [{"service": {"name": "nfs"}}],
        "rhcs_cman_groups": [{**GROUP, "resources": GROUP["resources"][:5]}]},
}
CHOSEN_BY_THE_ROLE = ("rhcs_cman_stack", "rhcs_cman_release")  # which rules apply: with auto, later ones


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path and path[0] not in CHOSEN_BY_THE_ROLE:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return changed


TEXTS = st.text(max_size=8) | st.sampled_from([
    "", "a\nb", "٦٩٤", "²", "10.0.0.1\n", "eth0", "/dev/sda", "on", "1" * 5000, "9" * 400 + "G", "auto", "a" * 300])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS | st.sampled_from(["name", "options"]), inner,
                                                                max_size=2), max_leaves=5)


@pytest.mark.parametrize("role", sorted(GOOD))
def test_the_settings_to_start_from_are_read(role):
    values, messages = _roles.validate(role, copy.deepcopy(GOOD[role]), HOSTS)
    assert values
    assert messages == []


@settings(max_examples=300)
@given(st.data())
def test_anything_in_the_place_of_any_value_gives_messages_and_never_an_exception(data):
    role = data.draw(st.sampled_from(sorted(GOOD)))
    path = data.draw(st.sampled_from(list(places(GOOD[role]))))
    changed = at(GOOD[role], path, data.draw(ANYTHING))
    _values, messages = _roles.validate(role, changed, HOSTS)
    assert all(isinstance(message, str) and SECRET not in message and message.startswith(role + "_")
               for message in messages)


@settings(max_examples=200)
@given(st.data())
def test_no_string_with_line_ends_or_other_digits_is_accepted(data):
    role = data.draw(st.sampled_from(sorted(GOOD)))
    path = data.draw(st.sampled_from([path for path in places(GOOD[role]) if isinstance(get(GOOD[role], path), str)]))
    if path[-1] == "apache_first_page":
        return
    old = get(GOOD[role], path)
    dirt = data.draw(st.sampled_from(["\n", "\r", "\x00", "\x1b", "\u2028", "\x85", "\t", "٦", "²"]))
    place = data.draw(st.integers(0, len(old)))
    assert _roles.validate(role, at(GOOD[role], path, old[:place] + dirt + old[place:]), HOSTS)[1]


def get(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value
