"""What must hold whenever the pair is healthy, read with plain tools on both machines."""

import json
from xml.etree import ElementTree

from lab import Lab
from lab.harness.steps import hosts

VIPS = {"192.168.69.16", "192.168.69.100"}
MOUNT = "/mnt/repl"
NODES = ("debian1", "debian2")
lab = Lab.open()


def fetch(address):
    """Return the page at an address."""
    with lab.connect(address, 80, 5) as wire:
        wire.sendall(f"GET / HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def drbd_roles():
    """Return each machine's own DRBD role."""
    return {name: host.check_output("drbdadm role repl").split("/")[0] for name, host in hosts(NODES).items()}


def addresses(host):
    """Return the IPv4 addresses of a machine."""
    listed = json.loads(host.check_output("ip -j -4 address"))
    return {info["local"] for link in listed for info in link["addr_info"]}


def cib(host, scope):
    """Return a section of the CIB as one machine has it."""
    return ElementTree.fromstring(host.check_output(f"cibadmin --query --local --scope {scope}"))


def test_both_copies_are_connected_and_up_to_date(host):
    assert host.check_output("drbdadm cstate repl") == "Connected"
    assert host.check_output("drbdadm dstate repl") == "UpToDate/UpToDate"


def test_exactly_one_machine_is_primary():
    assert sorted(drbd_roles().values()) == ["Primary", "Secondary"]


def test_the_primary_alone_has_filesystem_addresses_and_web_server():
    roles = drbd_roles()
    for name, host in hosts(NODES).items():
        active = roles[name] == "Primary"
        assert (f" {MOUNT} ext4 " in host.file("/proc/mounts").content_string) == active
        assert addresses(host) & VIPS == (VIPS if active else set())
        assert host.service("apache2").is_running == active


def test_both_addresses_serve_the_page_of_the_primary():
    primary = next(name for name, role in drbd_roles().items() if role == "Primary")
    for address in VIPS:
        page = fetch(address)
        assert page.startswith("HTTP/1.1 200"), page
        assert primary in page


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
    for path in ("/etc/corosync/corosync.conf", "/etc/corosync/authkey", "/etc/drbd.d/repl.res"):
        assert len({host.file(path).sha256sum for host in hosts(NODES).values()}) == 1, path


def test_the_clock_is_synchronised(host):
    tracking = host.check_output("chronyc -c tracking").split(",")
    assert tracking[0] not in ("", "00000000", "7F7F0101"), tracking
    assert abs(float(tracking[4])) < 1.0
