"""The inventory's machines: what is read, what is refused, and the messages."""

import copy

import pytest

from lab import machines
from lab.errors import LabError

NIC = {"segment": "front", "mac": "52:54:00:00:00:01", "address": "192.168.69.14/24"}
GOOD = {
    "lab_nics": {"eth0": NIC},
    "lab_disks": {"ubdb": "256M"},
    "lab_memory": "384M",
    "lab_segments": {"front": "192.168.69.254/24"},
}


def listed(**hosts):
    """Return what ``ansible-inventory --list`` prints for hosts with these variables."""
    return {"_meta": {"hostvars": hosts}}


def test_a_machine_is_read_with_its_sizes_in_bytes():
    inventory = machines.parse(listed(debian1=GOOD, controller={"ansible_host": "localhost"}))
    assert list(inventory.machines) == ["debian1"]
    machine = inventory.machines["debian1"]
    assert (machine.memory, machine.disks) == (384 * 2**20, {"ubdb": 256 * 2**20})
    assert machine.nics == (machines.Nic("eth0", "front", "52:54:00:00:00:01", "192.168.69.14/24"),)
    assert inventory.segments == {"front": "192.168.69.254/24"}


def test_a_machine_may_have_an_ipv6_address_too():
    dual = change(lab_nics={"eth0": {**NIC, "address6": "2001:DB8::14/64"}})
    (nic,) = machines.parse(listed(debian1=dual)).machines["debian1"].nics
    assert (nic.address, nic.address6) == ("192.168.69.14/24", "2001:db8::14/64")


def test_the_machines_of_a_group_are_those_of_the_groups_in_it_too():
    groups = {
        "all": {"children": ["farm"]},
        "farm": {"children": ["web"], "hosts": ["debian1"]},
        "web": {"hosts": ["x"]},
    }
    inventory = machines.parse({**listed(debian1=GOOD, x={}), **groups})
    assert inventory.groups == {"all": ["debian1"], "farm": ["debian1"], "web": []}


def test_a_release_of_the_command_line_replaces_the_inventorys():
    assert machines.parse(listed(debian1=GOOD), "trixie").machines["debian1"].release == "trixie"


def change(**values):
    """Return good variables with some of them changed."""
    return {**copy.deepcopy(GOOD), **values}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (change(lab_memory="much"), "debian1: lab_memory: much is not valid; expected a size such as 256M"),
        (change(lab_memory="0M"), "debian1: lab_memory: 0M is not valid"),
        (change(lab_disks={"sdb": "1G"}), "debian1: lab_disks: sdb is not valid"),
        (change(lab_disks={"ubdb": "1T"}), "debian1: lab_disks.ubdb: 1T is not valid"),
        (change(lab_release="potato"), "debian1: lab_release: potato is not valid"),
        (change(lab_nics={"eth0": {**NIC, "mac": "1"}}), "debian1: lab_nics.eth0.mac: 1 is not valid"),
        (
            change(lab_nics={"eth0": {**NIC, "mac": "53:54:00:00:00:01"}}),
            "lab_nics.eth0.mac: 53:54:00:00:00:01 is not valid",
        ),
        (
            change(lab_nics={"eth0": {**NIC, "address": "300.1.1.1/24"}}),
            "lab_nics.eth0.address: 300.1.1.1/24 is not valid",
        ),
        (
            change(lab_nics={"eth0": {**NIC, "address6": "192.168.69.15/24"}}),
            "lab_nics.eth0.address6: 192.168.69.15/24 is not valid; expected an address such as 2001:db8::14/64",
        ),
        (change(lab_nics={"eth0": {**NIC, "speed": 1}}), "lab_nics.eth0: {"),
        (change(lab_segments={"front": "x"}), "lab_segments.front: x is not valid"),
    ],
)
def test_a_value_that_is_not_valid_is_named(variables, message):
    with pytest.raises(LabError) as raised:
        machines.parse(listed(debian1=variables))
    assert message in str(raised.value)


def test_two_machines_cannot_share_an_address():
    twin = change(lab_nics={"eth0": {**NIC, "mac": "52:54:00:00:00:02"}})
    with pytest.raises(LabError, match=r"192\.168\.69\.14 is used by both debian1 eth0 and debian2 eth0"):
        machines.parse(listed(debian1=GOOD, debian2=twin))


def test_a_machine_may_print_another_name_than_the_inventory():
    inventory = machines.parse(listed(mail={**GOOD, "lab_hostname": "mx1"}))
    assert (inventory.machines["mail"].name, inventory.machines["mail"].hostname) == ("mail", "mx1")
    assert machines.parse(listed(debian1=GOOD)).machines["debian1"].hostname == "debian1"
