"""What the variables of the role drbd_failover may say."""
import copy

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.problems import problems
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import settings as drbd_settings

HOSTS = ["debian1", "debian2"]


def resource(**changes):
    return dict({
        "name": "repl", "device": "/dev/drbd0", "port": 7788, "resync_rate": "100M",
        "startup": {"degr_wfc_timeout": 120}, "disk": {"on_io_error": "detach"},
        "initial_sync": {"from": "debian1", "skip_if_blank": True},
        "nodes": [{"name": "debian1", "disk": "/dev/ubdb", "address": "10.0.0.1"},
                  {"name": "debian2", "disk": "/dev/ubdb", "address": "10.0.0.2"}],
        "filesystem": {"type": "ext4", "mountpoint": "/mnt/repl"}}, **changes)


def second(**changes):
    other = resource(name="mail", device="/dev/drbd1", port=7789)
    other["nodes"] = [dict(node, disk="/dev/ubdc") for node in other["nodes"]]
    return dict(other, **changes)


def nodes(**changes):
    changed = copy.deepcopy(resource()["nodes"])
    changed[1].update(changes)
    return changed


def found(*resources, **settings):
    settings["drbd_failover_resources"] = list(resources)
    return problems(copy.deepcopy(settings), "drbd_failover", HOSTS)


def test_the_articles_resource_is_accepted():
    assert found(resource()) == [] == found(resource(), second())


def test_everything_that_may_be_said_is_accepted():
    assert found(resource(
        meta_disk="/dev/sdc1[0]", fencing="resource-only", protocol="B", options={"on_no_data_accessible": "io-error"},
        net={"shared_secret": "secret", "cram_hmac_alg": "sha1", "sndbuf_size": "512k", "after_sb_0pri": "disconnect"},
        handlers={"fence_peer": "/usr/lib/drbd/outdate-peer.sh -t 5"}),
        drbd_failover_destroy=["debian1:/dev/ubdb", "/dev/ubdb", "/dev/sdc1"], drbd_failover_sync_timeout=10) == []


def test_no_resource_is_no_problem():
    assert drbd_settings.check_settings({}, HOSTS) == []


SYNC = {"from": "debian3"}
CASES = [
    (resource(name="a b"), "drbd_failover_resources[0].name is 'a b'"),
    (resource(name="all"), "[0].name is 'all'"),
    (resource(device="/dev/sdb"), "[0].device is '/dev/sdb'; it is to be /dev/drbdNUMBER"),
    (resource(port=70000), "[0].port is 70000"),
    (resource(nodes=nodes()[:1]), "[0].nodes names debian1; exactly two"),
    (resource(nodes=nodes(name="debian1")), "exactly two different nodes"),
    (resource(nodes=nodes(disk="sdb")), "[0].nodes[1].disk is 'sdb'"),
    (resource(nodes=nodes(meta_disk="sdc")), "[0].nodes[1].meta_disk is 'sdc'"),
    (resource(nodes=nodes(address="10.0.0.300")), "[0].nodes[1].address is '10.0.0.300'"),
    (resource(nodes=nodes(address="0.0.0.0")), "[0].nodes[1].address is '0.0.0.0'"),
    (resource(nodes=nodes(address="10.0.0.1")), "have the same address"),
    (resource(meta_disk="here"), "[0].meta_disk is 'here'"),
    (resource(initial_sync=SYNC), "[0].initial_sync.from is 'debian3'; it is to be one of its nodes"),
    (resource(filesystem={"type": "ext4 -F", "mountpoint": "/mnt"}), "[0].filesystem.type is 'ext4 -F'"),
    (resource(filesystem={"type": "ext4", "mountpoint": "mnt"}), "[0].filesystem.mountpoint is 'mnt'"),
    (resource(filesystem={"type": "ext4", "mountpoint": "/"}), "[0].filesystem.mountpoint is '/'"),
    (resource(resync_rate="fast"), "[0].resync_rate is 'fast'"),
    (resource(fencing="resource-only"), "handlers: {fence_peer: ...}"),
    (resource(disk={"on_io_error": "panic"}), "[0].disk.on_io_error is 'panic'; it is to be one of pass_on"),
    (resource(disk={"verify_alg": "sha1"}), "it belongs to net"),
    (resource(disk={"on_error": "detach"}), "[0].disk.on_error is not an option"),
    (resource(disk={"fencing": "dont-care"}), "belongs beside the sections"),
    (resource(disk={"c_max_rate": "100MB"}), "a number with K, M or G"),
    (resource(startup={"wfc_timeout": "soon"}), "[0].startup.wfc_timeout is 'soon'; it is to be a whole number"),
    (resource(handlers={"split_brain": ["a"]}), "one value without quotes"),
    (resource(net={"verify_alg": 'sha1"; }'}), "one value without quotes"),
    (resource(net={"after_sb_0pri": "discard-younger-primary"}), "data would be thrown away"),
    (resource(net={"after_sb_1pri": "violently-as0p"}), "drbd_failover_accept_data_loss: [repl]"),
    (resource(net={"after_sb_2pri": "call-pri-lost-after-sb"}), "data would be thrown away"),
    (resource(net={"rr_conflict": "violently"}), "data would be thrown away"),
    (resource(net={"allow_two_primaries": True}), "mounted on both nodes is destroyed"),
    (resource(protocol="D"), "must be one of: A, B, C"),
    (resource(protocoll="C"), "unknown option: drbd_failover_resources.protocoll"),
    (resource(port="high"), "unable to convert to int"),
]


@pytest.mark.parametrize("wrong, words", CASES)
def test_a_wrong_resource_is_named_with_its_value_and_what_would_be_right(wrong, words):
    told = found(wrong)
    assert told and any(words in one for one in told), told
    assert all("drbd_failover_resources" in one or one.startswith(("value of", "argument", "Elements"))
               for one in told)


OTHERS = [
    (second(name="repl"), "[1].name is 'repl', which repl has already"),
    (second(device="/dev/drbd0"), "[1].device is '/dev/drbd0', which repl has already"),
    (second(port=7788), "[1].port is '7788', which repl has already"),
    (second(nodes=nodes()), "[1].nodes disk is '/dev/ubdb', which repl has already"),
    (second(meta_disk="/dev/ubdb"), "[1].nodes meta_disk is '/dev/ubdb', which repl has already"),
    (second(meta_disk="/dev/ubdc"), "'/dev/ubdc' more than once"),
]


@pytest.mark.parametrize("other, words", OTHERS)
def test_what_only_one_resource_can_have_is_not_given_twice(other, words):
    assert any(words in one for one in found(resource(), other))


@pytest.mark.parametrize("settings, words", [
    ({"drbd_failover_connect_timeout": -1}, "drbd_failover_connect_timeout is -1"),
    ({"drbd_failover_accept_data_loss": ["web"]}, "drbd_failover_accept_data_loss names 'web'"),
    ({"drbd_failover_destroy": ["/dev/sdz"]}, "drbd_failover_destroy names '/dev/sdz'"),
    ({"drbd_failover_destroy": ["debian3:/dev/ubdb"]}, "drbd_failover_destroy names 'debian3:/dev/ubdb'"),
    ({"drbd_failover_destroy": ["internal"]}, "drbd_failover_destroy names 'internal'"),
    ({"drbd_failover_start_units": "always"}, "must be one of"),
    ({"drbd_failover_resource": []}, "drbd_failover_resource")])
def test_the_other_variables_are_checked_too(settings, words):
    assert any(words in one for one in found(resource(), **settings))


def test_losing_data_is_allowed_to_the_resource_that_is_named():
    lossy = resource(net={"after_sb_0pri": "discard-zero-changes", "allow_two_primaries": "yes"})
    assert found(lossy, drbd_failover_accept_data_loss=["repl"]) == []


def test_a_wrong_secret_is_not_shown():
    (told,) = found(resource(net={"shared_secret": 'se"cret'}))
    assert "se" + '"' not in told and "net.shared_secret is not shown here" in told
