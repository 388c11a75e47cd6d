"""What the variables of the role drbd_failover may say."""
import copy

import pytest
from ansible_collections.linuxha.cluster.plugins.filter.problems import problems
from ansible_collections.linuxha.cluster.plugins.module_utils._drbd import settings as drbd_settings
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

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
        net={"shared_secret": "secret", "tcp_cork": False, "use_rle": "yes",
             "cram_hmac_alg": "sha1", "sndbuf_size": "512k", "after_sb_0pri": "disconnect"},
        handlers={"fence_peer": "/usr/lib/drbd/outdate-peer.sh -t 5"}),
        drbd_failover_destroy=["debian1:/dev/ubdb", "/dev/ubdb", "/dev/sdc1"], drbd_failover_sync_timeout=10) == []


def test_no_resource_is_no_problem():
    assert drbd_settings.check_settings({}, HOSTS) == []


def test_a_batch_without_both_nodes_is_refused():
    given = {"drbd_failover_resources": [resource()]}
    (fault,) = problems(given, "drbd_failover", ["debian1"])
    assert fault.startswith("drbd_failover_resources[0].nodes[1].name: 'debian2' is not valid; expected a host of this "
                            "play and batch (debian1)")
    assert problems(given, "drbd_failover", ["one", "two"]) == []  # inventory names may differ


SYNC = {"from": "debian3"}
CRM = "/usr/lib/drbd/crm-"
EXT4 = {"type": "ext4", "mountpoint": "/mnt"}
CASES = [
    (resource(name="a b"), "drbd_failover_resources[0].name: 'a b' is not valid; expected letters"),
    (resource(name="all"), "[0].name: 'all' is not valid; expected another name"),
    (resource(device="/dev/sdb"), "[0].device: '/dev/sdb' is not valid; expected /dev/drbdNUMBER"),
    (resource(port=70000), "[0].port: 70000 is not valid"),
    (resource(nodes=nodes()[:1]), "[0].nodes: a list is not valid; expected exactly two"),
    (resource(nodes=nodes(name="debian1")),
     "[0].nodes[1].name: 'debian1' is not valid; expected a value that no other"),
    (resource(nodes=nodes(disk="sdb")), "[0].nodes[1].disk: 'sdb' is not valid"),
    (resource(nodes=nodes(meta_disk="sdc")), "[0].nodes[1].meta_disk: 'sdc' is not valid"),
    (resource(nodes=nodes(address="10.0.0.300")), "[0].nodes[1].address: '10.0.0.300' is not valid"),
    (resource(nodes=nodes(address="fd00::2%eth0")), "[0].nodes[1].address: 'fd00::2%eth0' is not valid"),
    (resource(nodes=nodes(address="0.0.0.0")), "[0].nodes[1].address: '0.0.0.0' is not valid"),
    (resource(nodes=nodes(address="10.0.0.1")),
     "[0].nodes[1].address: '10.0.0.1' is not valid; expected a value that no other"),
    (resource(meta_disk="here"), "[0].meta_disk: 'here' is not valid"),
    (resource(initial_sync=SYNC), "[0].initial_sync.from: 'debian3' is not valid; expected one of its nodes"),
    (resource(filesystem={"type": "ext4 -F", "mountpoint": "/mnt"}), "[0].filesystem.type: 'ext4 -F' is not valid"),
    (resource(filesystem={"type": "ntfs", "mountpoint": "/mnt"}),
     "[0].filesystem.type: 'ntfs' is not valid; expected one of ext2, ext3, ext4, xfs, btrfs, f2fs, vfat"),
    (resource(filesystem={"type": "ext4", "mountpoint": "mnt"}), "[0].filesystem.mountpoint: 'mnt' is not valid"),
    (resource(filesystem={"type": "ext4", "mountpoint": "/"}), "[0].filesystem.mountpoint: '/' is not valid"),
    (resource(resync_rate="fast"), "[0].resync_rate: 'fast' is not valid"),
    (resource(fencing="resource-only"), "[0].handlers.fence_peer: is missing; expected a program"),
    (resource(disk={"on_io_error": "panic"}), "[0].disk.on_io_error: 'panic' is not valid; expected one of pass_on"),
    (resource(disk={"verify_alg": "sha1"}),
     "[0].disk.verify_alg: there is no such option; expected it in drbd_failover_resources[0].net"),
    (resource(disk={"on_error": "detach"}), "[0].disk.on_error: there is no such option"),
    (resource(disk={"fencing": "dont-care"}), "expected it beside the sections, as drbd_failover_resources[0].fencing"),
    (resource(disk={"md_flushes": "off"}), "[0].disk.md_flushes: 'off' is not valid; expected yes or no"),
    (resource(net={"tcp_cork": 1}), "expected yes or no"),
    (resource(disk={"c_max_rate": "100MB"}), "a number with K, M or G"),
    (resource(startup={"wfc_timeout": "soon"}),
     "[0].startup.wfc_timeout: 'soon' is not valid; expected a whole number"),
    (resource(handlers={"split_brain": ["a"]}), "expected a command without double quotes"),
    (resource(handlers={"split_brain": True}), "[0].handlers.split_brain: True is not valid; expected a command"),
    (resource(handlers={"split_brain": "5k"}), "[0].handlers.split_brain: '5k' is not valid; expected a command"),
    (resource(net={"verify_alg": False}), "[0].net.verify_alg: False is not valid; expected one value without quotes"),
    (resource(net={"verify_alg": "no"}), "[0].net.verify_alg: 'no' is not valid; expected one value without quotes"),
    (resource(net={"ping_int": 121}), "[0].net.ping_int: 121 is not valid; expected a whole number, 1 to 120"),
    (resource(net={"ping_int": True}), "[0].net.ping_int: True is not valid; expected a whole number, 1 to 120"),
    (resource(net={"max_buffers": "129k"}), "[0].net.max_buffers: '129k' is not valid; expected a whole number, 32 to"),
    (resource(net={"sndbuf_size": "11M"}), "[0].net.sndbuf_size: '11M' is not valid; expected a number with K"),
    (resource(disk={"resync_after": "a b"}), "[0].disk.resync_after: 'a b' is not valid; expected a resource, or"),
    (resource(disk={"resync_rate": 0}), "[0].disk.resync_rate: 0 is not valid; expected a number with K"),
    (resource(disk={"c_max_rate": "5G"}), "[0].disk.c_max_rate: '5G' is not valid; expected a number with K"),
    (resource(disk={"read_balancing": "first"}), "[0].disk.read_balancing: 'first' is not valid; expected one of"),
    (resource(options={"on_no_quorum": "stop"}), "[0].options.on_no_quorum: 'stop' is not valid; expected one of io-"),
    (resource(options={"quorum": True}), "[0].options.quorum: True is not valid; expected off"),
    (resource(startup={"become_primary_on": "debian3"}),
     "[0].startup.become_primary_on: 'debian3' is not valid; expected one of its nodes, or both with"),
    (resource(startup={"become_primary_on": "both"}), "[0].startup.become_primary_on: 'both' is not valid; expected"),
    (resource(startup={"wfc_timeout": "1M"}), "[0].startup.wfc_timeout: '1M' is not valid; expected a whole number"),
    (resource(resync_rate="100k"), "[0].resync_rate: '100k' is not valid; expected bytes per second, such as 100M"),
    (resource(disk={"c_max_rate": 1}), "[0].disk.c_max_rate: 1 is not valid; expected a number with K"),
    (resource(handlers={"split_brain": "no"}), "[0].handlers.split_brain: 'no' is not valid; expected a command"),
    (resource(startup={"stacked_timeouts": True}), "[0].startup.stacked_timeouts: there is no such option"),
    (resource(net={"verify_alg": 'sha1"; }'}), "one value without quotes"),
    (resource(options={"quorum": "majority"}),
     "[0].options.quorum: 'majority' is not valid; expected off: there are two nodes"),
    (resource(options={"quorum": "all"}), "expected off: there are two nodes"),
    (resource(options={"quorum": 2}), "[0].options.quorum: 2 is not valid; expected off"),
    (resource(options={"quorum": ["off"]}), "[0].options.quorum: a list is not valid; expected off"),
    (resource(options={"quorum_minimum_redundancy": "majority"}), "expected off: there are two nodes"),
    (resource(handlers={"fence_peer": CRM + "fence-peer.sh"}, fencing="resource-only"),
     "[0].handlers.unfence_peer: is missing; expected crm-unfence-peer.sh in it or in after_resync_target"),
    (resource(handlers={"fence_peer": CRM + "fence-peer.9.sh", "unfence_peer": CRM + "unfence-peer.sh"}),
     "[0].handlers.unfence_peer: is missing; expected crm-unfence-peer.9.sh"),
    (resource(filesystem=dict(EXT4, mkfs_options=["-m", "0", "-FF"])),
     "[0].filesystem.mkfs_options[2]: '-FF' is not valid; expected it left out (-F): the role decides it"),
    (resource(net={"shared_secret": "a", "shared-secret": "b"}),
     "[0].net.shared-secret: is given twice, with '_' and with '-'; expected it once"),
    (resource(net={"after_sb_0pri": "discard-younger-primary"}), "data would be thrown away"),
    (resource(net={"after_sb_1pri": "violently-as0p"}), "drbd_failover_accept_data_loss: [repl]"),
    (resource(net={"after_sb_2pri": "call-pri-lost-after-sb"}), "data would be thrown away"),
    (resource(net={"rr_conflict": "violently"}), "data would be thrown away"),
    (resource(net={"allow_two_primaries": True}), "mounted on both nodes is destroyed"),
    (resource(protocol="D"), "[0].protocol: 'D' is not valid; expected one of A, B, C"),
    (resource(protocoll="C"), "[0].protocoll: there is no such key (did you mean protocol?)"),
    (resource(port="high"), "[0].port: 'high' is not valid; expected a whole number"),
]


@pytest.mark.parametrize("wrong, words", CASES)
def test_a_wrong_resource_is_named_with_its_value_and_what_would_be_right(wrong, words):
    told = found(wrong)
    assert told and any(words in one for one in told), told
    assert all(one.startswith("drbd_failover_resources[0]") for one in told)


OTHERS = [
    (second(name="repl"), "[1].name: 'repl' is not valid; expected one that the resource repl does not have"),
    (second(device="/dev/drbd0"),
     "[1].device: '/dev/drbd0' is not valid; expected one that the resource repl does not have"),
    (second(port=7788), "[1].port: 7788 is not valid; expected one that the resource repl does not have"),
    (second(nodes=nodes()), "[1].nodes[0].disk: '/dev/ubdb' is not valid; expected one that the resource repl"),
    (second(meta_disk="/dev/ubdb"),
     "[1].nodes[0].meta_disk: '/dev/ubdb' is not valid; expected one that the resource repl"),
    (second(meta_disk="/dev/ubdc"), "[1].nodes[0].disk: '/dev/ubdc' is not valid; expected it for one purpose only"),
]


@pytest.mark.parametrize("other, words", OTHERS)
def test_what_only_one_resource_can_have_is_not_given_twice(other, words):
    assert any(words in one for one in found(resource(), other))


@pytest.mark.parametrize("settings, words", [
    ({"drbd_failover_connect_timeout": -1}, "drbd_failover_connect_timeout: -1 is not valid"),
    ({"drbd_failover_accept_data_loss": ["web"]},
     "drbd_failover_accept_data_loss[0]: 'web' is not valid; expected a resource: repl"),
    ({"drbd_failover_destroy": ["/dev/sdz"]}, "drbd_failover_destroy[0]: '/dev/sdz' is not valid"),
    ({"drbd_failover_destroy": ["debian3:/dev/ubdb"]}, "drbd_failover_destroy[0]: 'debian3:/dev/ubdb' is not valid"),
    ({"drbd_failover_destroy": ["internal"]}, "drbd_failover_destroy[0]: 'internal' is not valid"),
    ({"drbd_failover_start_units": "always"}, "drbd_failover_start_units: 'always' is not valid; expected one of"),
    ({"drbd_failover_resource": []}, "drbd_failover_resource")])
def test_the_other_variables_are_checked_too(settings, words):
    assert any(words in one for one in found(resource(), **settings))


@pytest.mark.parametrize("wrong, words", [
    (resource(device="/dev/drbd0\n"), "[0].device: '/dev/drbd0\\n' is not valid"),
    (resource(device="/dev/drbd٣"), "[0].device: '/dev/drbd٣' is not valid"),
    (resource(nodes=nodes(disk="/dev/sdb\n")), "[0].nodes[1].disk: '/dev/sdb\\n' is not valid"),
    (resource(filesystem={"type": "ext4", "mountpoint": "/mnt\n"}), "[0].filesystem.mountpoint: '/mnt\\n' is not"),
    (resource(startup={"wfc_timeout": "٣"}), "[0].startup.wfc_timeout: '٣' is not valid"),
    (resource(disk={"c_max_rate": ""}), "[0].disk.c_max_rate: '' is not valid"),
    (resource(handlers={"split_brain": None}), "[0].handlers.split_brain: None is not valid"),
    (resource(handlers={"split_brain": "a\nb"}), "[0].handlers.split_brain: 'a\\nb' is not valid"),
])
def test_line_ends_other_digits_and_nothing_are_refused(wrong, words):
    assert any(words in one for one in found(wrong)), found(wrong)


PEER = {"fence_peer": CRM + "fence-peer.sh --timeout 30", "after_resync_target": CRM + "unfence-peer.sh"}


@pytest.mark.parametrize("handlers", [
    PEER, {"fence-peer": CRM + "fence-peer.9.sh", "unfence-peer": CRM + "unfence-peer.9.sh"},
    {"fence_peer": "/usr/lib/drbd/stonith_admin-fence-peer.sh"}, {"fence_peer": CRM + "unfence-peer.sh"}])
def test_a_fencing_handler_with_its_counterpart_is_accepted(handlers):
    assert found(resource(handlers=handlers, fencing="resource-and-stonith", options={"quorum": "off"})) == []


@pytest.mark.parametrize("beside, refused, warned", [
    (["heartbeat", "drbd_failover"], 2, 0), (["heartbeat", "pacemaker"], 0, 0), (["rhcs_cman"], 0, 0),
    (["pacemaker"], 0, 0), (["clvm"], 0, 2)])
def test_scripts_for_pacemaker_are_refused_under_heartbeat(beside, refused, warned):
    given = {"drbd_failover_resources": [resource(handlers=PEER, fencing="resource-only")]}
    settings, faults = _roles.validate("drbd_failover", given, HOSTS, beside)
    assert len(faults) == refused
    assert all("expected a program that works without Pacemaker, as drbd-peer-outdater" in fault for fault in faults)
    warnings = _roles.warnings_of("drbd_failover", given, settings, beside)
    assert len(warnings) == warned
    assert all("needs Pacemaker, and this host has no variables of the role pacemaker" in text for text in warnings)


def test_the_roles_of_a_host_are_those_whose_required_variables_it_has():
    given = {"heartbeat_nodes": HOSTS, "heartbeat_groups": [], "pacemaker_nodes": [], "ntp_servers": [],
             "drbd_failover_resources": []}
    assert _roles.roles_of(given) == ["heartbeat"]


def test_a_section_is_a_mapping():
    wrong = resource(net="secret", nodes=[], disk=[])
    told = drbd_settings.check_settings({"drbd_failover_resources": [wrong]}, HOSTS)
    assert "drbd_failover_resources[0].net: (not shown) is not valid; expected a mapping of DRBD's options in the " \
        "section net" in told and "secret" not in "".join(told)


def test_an_empty_rate_or_place_of_metadata_is_the_default():
    assert found(resource(resync_rate="", meta_disk="", nodes=nodes(meta_disk=""))) == []


def test_losing_data_is_allowed_to_the_resource_that_is_named():
    lossy = resource(net={"after_sb_0pri": "discard-zero-changes", "allow_two_primaries": "yes"})
    assert found(lossy, drbd_failover_accept_data_loss=["repl"]) == []
    lossy["startup"] = {"become_primary_on": "both"}
    assert found(lossy, drbd_failover_accept_data_loss=["repl"]) == []


def test_a_wrong_secret_is_not_shown():
    (told,) = found(resource(net={"shared_secret": 'se"cret'}))
    assert "se" + '"' not in told and "net.shared_secret: (not shown) is not valid" in told


def under_pacemaker(**changes):
    return found(resource(**changes), drbd_failover_cluster_manager="pacemaker")


@pytest.mark.parametrize("changes", [
    {}, {"fencing": "resource-only"}, {"fencing": "resource-and-stonith"}, {"handlers": PEER},
    {"handlers": {"after_resync_target": "/opt/x; " + CRM + "unfence-peer.9.sh"}},
    {"handlers": {"fence_peer": "/opt/fence", "unfence_peer": "/opt/unfence"}}])
def test_the_role_adds_what_is_not_given_of_the_fencing_under_pacemaker(changes):
    assert under_pacemaker(**changes) == []


@pytest.mark.parametrize("changes, fault", [
    ({"fencing": "dont-care"}, "drbd_failover_resources[0].fencing: 'dont-care' is not valid; expected "
     "resource-and-stonith or resource-only under Pacemaker, or a node whose data is outdated would be promoted"),
    ({"handlers": {"after_resync_target": "/opt/x"}},
     "drbd_failover_resources[0].handlers.unfence_peer: is missing; expected crm-unfence-peer.sh "
     "(crm-unfence-peer.9.sh with DRBD 9) in it or in after_resync_target, which removes the constraint that the "
     "role's handler fence_peer sets")])
def test_fencing_that_leaves_a_constraint_or_none_is_refused_under_pacemaker(changes, fault):
    assert under_pacemaker(**changes) == [fault]


def test_fencing_needs_a_handler_under_heartbeat():
    assert found(resource(fencing="resource-only")) == [
        "drbd_failover_resources[0].handlers.fence_peer: is missing; expected a program that fences the other node, "
        "with fencing: resource-only"]
    assert found(resource(), drbd_failover_cluster_manager="cman") != []


@pytest.mark.parametrize("manager, roles", [
    ("heartbeat", ["heartbeat"]), ("pacemaker", ["pacemaker"]), (["x"], ["heartbeat", "pacemaker"])])
def test_a_pair_has_the_role_of_its_cluster_manager(manager, roles):
    given = {"heartbeat_nodes": HOSTS, "pacemaker_nodes": [], "pacemaker_cluster_name": "x"}
    assert _roles.roles_of(dict(given, cluster_manager=manager)) == roles
    assert _roles.roles_of(given) == ["heartbeat", "pacemaker"]
