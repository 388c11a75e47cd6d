"""What must hold whenever the cluster is healthy, read with plain tools on each node."""

from xml.etree import ElementTree

from lab.harness.steps import hosts

NODES = {"balthasar": "1", "casper": "2", "melchior": "3"}
DISK = "/dev/disk/by-id/scsi-3600000000000000000000000c3fa2201"


def test_all_nodes_are_members_and_the_quorum_device_has_a_vote_less(host):
    text = host.run("corosync-quorumtool -s").stdout
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    assert fields["Quorate"].strip() == "Yes"
    assert fields["Expected votes"].strip() == "5"
    assert fields["Total votes"].strip() == "5"
    assert fields["Flags"].split() == ["Quorate", "Qdevice"]


def test_all_nodes_are_online_and_one_is_the_dc():
    seen = set()
    for host in hosts(NODES).values():
        root = ElementTree.fromstring(host.check_output("crm_mon --one-shot --output-as=xml"))
        assert {node.get("name"): node.get("id") for node in root.findall("nodes/node")} == NODES
        assert {node.get("online") for node in root.findall("nodes/node")} == {"true"}
        assert {node.get("unclean") for node in root.findall("nodes/node")} == {"false"}
        seen.add(root.find("summary/current_dc").get("name"))
    assert len(seen) == 1


def test_every_node_has_one_slot_and_its_message_is_read(host):
    rows = [line.split("\t") for line in host.check_output(f"sbd -d {DISK} list").splitlines()]
    assert sorted(row[1] for row in rows) == sorted(NODES)
    assert {row[2] for row in rows} == {"clear"}


def test_sbd_watches_disk_cluster_and_pacemaker(host):
    assert host.service("sbd").is_running
    assert host.service("sbd").is_enabled
    watched = host.check_output("ps -C sbd -o args=")
    assert DISK in watched
    assert "watcher: Pacemaker" in watched
    assert "watcher: Cluster" in watched


def test_sbd_trusts_the_quorum_of_the_quorum_device(host):
    assert "distrusted" not in host.check_output("journalctl --boot --unit sbd --no-pager")


def test_every_node_can_be_fenced(host):
    for name in NODES:
        assert "<item" in host.check_output(f"stonith_admin --output-as=xml --list {name}")


def test_fencing_is_on_and_long_enough(host):
    assert host.check_output("crm_attribute -t crm_config -n stonith-enabled -G -q") == "true"
    assert host.check_output("crm_attribute -t crm_config -n stonith-timeout -G -q") == "60s"


def test_the_configuration_is_valid(host):
    assert host.run("crm_verify --live-check").rc == 0
    assert host.run("corosync -t").rc == 0


def test_the_cluster_traffic_is_encrypted_with_one_key():
    keys, ciphers = set(), set()
    for host in hosts(NODES).values():
        keys.add(host.file("/etc/corosync/authkey").sha256sum)
        ciphers.add(host.check_output("corosync-cmapctl -g totem.crypto_cipher").split("= ")[1])
        assert (host.file("/etc/corosync/authkey").mode, host.file("/etc/corosync/authkey").user) == (0o400, "root")
    assert len(keys) == 1
    assert ciphers == {"aes256"}


def test_the_cluster_is_enabled_at_boot(host):
    for unit in ("corosync", "pacemaker", "sbd", "corosync-qdevice"):
        assert host.service(unit).is_enabled, unit
