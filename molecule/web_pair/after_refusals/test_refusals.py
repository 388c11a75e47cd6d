"""Disks that hold something were asked for: each is refused by name and content, and not one byte of it has changed."""


import pytest

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["refusals"]


@pytest.mark.parametrize(
    ("disk", "content"), [("/dev/ubdc", "ext4"), ("/dev/ubdd", "LVM2_member"), ("/dev/ubde", "metadata")]
)
def test_the_disk_is_refused_by_name_and_content(disk, content):
    print(f"\n{measured[disk]['message']}")
    assert measured[disk]["code"] != 0
    assert disk in measured[disk]["message"]
    assert content in measured[disk]["message"]


@pytest.mark.parametrize("disk", ["/dev/ubdc", "/dev/ubdd", "/dev/ubde"])
def test_not_a_byte_has_changed_on_either_machine(disk):
    assert measured[disk]["unchanged"]
    assert measured[disk]["described"] == []
