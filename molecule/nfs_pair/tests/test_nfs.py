"""What must hold whenever the pair is healthy, read with plain tools on both machines."""

from nfs import ADDRESS, MOUNT, NODES

from lab.harness.steps import hosts


def test_one_machine_has_filesystem_address_and_server():
    mounts = {name: host.file("/proc/mounts").content_string for name, host in hosts(NODES).items()}
    active = [name for name, text in mounts.items() if f" {MOUNT} ext4 " in text]
    assert len(active) == 1
    for name, host in hosts(NODES).items():
        here = name == active[0]
        assert (f" {ADDRESS}/24 " in host.check_output("ip -4 address")) == here
        assert (host.run("ss -Hltn sport = :2049").stdout.strip() != "") == here
        assert (f"{MOUNT}/export" in host.run("exportfs -v").stdout) == here


def test_the_state_of_the_clients_is_on_the_replicated_disk():
    for host in hosts(NODES).values():
        mounts = host.file("/proc/mounts").content_string
        assert (f" {MOUNT} ext4 " in mounts) == (" /var/lib/nfs ext4 " in mounts)


def test_pacemaker_alone_starts_the_server(host):
    for unit in ("nfs-server", "drbd@files.target"):
        assert not host.service(unit).is_enabled


def test_no_resource_has_failed(host):
    assert "Failed" not in host.check_output("crm_mon --one-shot")
