"""What a few files tell of a host."""
import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core.os_facts import parse_facts

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n'
JAMMY = 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\nID=ubuntu\nID_LIKE=debian\n'


def test_debian_has_its_point_release_in_a_file_of_its_own():
    assert parse_facts(BOOKWORM, "12.11\n", "systemd\n") == {
        "distribution": "Debian", "distribution_version": "12.11", "distribution_major_version": "12",
        "distribution_release": "bookworm", "os_family": "Debian", "service_mgr": "systemd"}
    assert parse_facts(BOOKWORM, "bookworm/sid\n", "systemd")["distribution_version"] == "12"


def test_ubuntu_has_the_name_of_a_debian_there():
    found = parse_facts(JAMMY, "bookworm/sid\n", "systemd\n")
    assert (found["distribution"], found["distribution_version"], found["distribution_major_version"]) == (
        "Ubuntu", "22.04", "22")


@pytest.mark.parametrize("release, init", [
    ("", "systemd"), (BOOKWORM, "init\n"), (BOOKWORM, ""), (BOOKWORM.replace("ID=debian", "ID=raspbian"), "systemd"),
    (BOOKWORM.replace('VERSION_ID="12"\n', ""), "systemd"), (JAMMY.replace("VERSION_CODENAME=jammy", ""), "systemd"),
    ('NAME="AlmaLinux"\nID="almalinux"\nVERSION_ID="9.4"\n', "systemd")])
def test_all_other_hosts_are_left_to_setup(release, init):
    assert parse_facts(release, "12.11\n", init) == {}
