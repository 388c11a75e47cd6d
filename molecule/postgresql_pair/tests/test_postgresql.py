"""What must hold whenever the pair is healthy, read with plain tools on both machines."""

from postgresql import ADDRESS, MOUNT, NODES

from lab.harness.steps import hosts


def test_one_machine_has_filesystem_address_and_database():
    mounts = {name: host.file("/proc/mounts").content_string for name, host in hosts(NODES).items()}
    active = [name for name, text in mounts.items() if f" {MOUNT} ext4 " in text]
    assert len(active) == 1
    for name, host in hosts(NODES).items():
        here = name == active[0]
        assert (f" {ADDRESS}/24 " in host.check_output("ip -4 address")) == here
        assert host.service("postgresql-ha").is_running == here


def test_no_machine_has_a_database_on_its_own_disk(host):
    assert host.run("ls /var/lib/postgresql/15/main").rc != 0


def test_pacemaker_alone_starts_the_database(host):
    assert host.check_output("systemctl show --property=UnitFileState --value postgresql-ha") == "static"
    assert not host.service("drbd@data.target").is_enabled


def test_no_resource_has_failed(host):
    assert "Failed" not in host.check_output("crm_mon --one-shot")
