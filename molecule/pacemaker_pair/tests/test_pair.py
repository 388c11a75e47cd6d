"""What must hold whenever the pair is healthy, read with plain tools on both machines."""

from xml.etree import ElementTree

# pytest runs what is in this module: the tests of every pair are to be in it too, each new one without a change here.
from lab.harness.drbd_pair_tests import *  # noqa: F403
from lab.harness.drbd_pair_tests import MOUNT, NODES, same_on_both


def cib(host, scope):
    """Return a section of the CIB as one machine has it."""
    return ElementTree.fromstring(host.check_output(f"cibadmin --query --local --scope {scope}"))


def test_pacemaker_is_the_only_cluster_manager(host):
    for unit in ("corosync", "pacemaker"):
        assert host.service(unit).is_running
        assert host.service(unit).is_enabled
    assert not host.exists("cl_status")


def test_pacemaker_alone_starts_what_it_owns(host):
    for unit in ("apache2", "drbd", "drbd@repl.target"):
        assert not host.service(unit).is_enabled
    assert MOUNT not in host.file("/etc/fstab").content_string
    after = host.check_output("systemctl show --property=After pacemaker.service")
    assert "dev-ubdb.device" in after, "Pacemaker must not start before the disks of DRBD"


def test_drbd_fences_by_pacemaker(host):
    dump = host.check_output("drbdadm dump repl")
    for words in ("fencing          resource-and-stonith;", "crm-fence-peer.sh", "crm-unfence-peer.sh"):
        assert " ".join(words.split()) in " ".join(dump.split())


def test_no_constraint_of_a_fencing_is_left(host):
    assert [each.get("id") for each in cib(host, "constraints") if str(each.get("id")).startswith("drbd-fence")] == []


def test_each_node_can_be_fenced_and_no_fencing_failed(host):
    for node in NODES:
        assert "<item" in host.check_output(f"stonith_admin --output-as=xml --list {node}")
    history = ElementTree.fromstring(host.check_output("stonith_admin --output-as=xml --history '*'"))
    assert [each.attrib for each in history.iter("fence_event") if each.get("status") != "success"] == []


def test_two_nodes_wait_for_each_other_at_the_first_start(host):
    flags = host.check_output("corosync-quorumtool -s")
    assert "2Node" in flags and "WaitForAll" in flags


def test_no_resource_has_failed(host):
    shown = ElementTree.fromstring(host.check_output("crm_mon --one-shot --output-as=xml"))
    assert [each.attrib for each in shown.iter("failure")] == []
    assert [each.get("id") for each in shown.iter("resource") if each.get("failed") == "true"] == []


def test_both_machines_have_the_same_configuration():
    assert same_on_both("/etc/corosync/corosync.conf", "/etc/corosync/authkey", "/etc/drbd.d/repl.res") == []
