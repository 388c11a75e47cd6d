"""How often a node was fenced, by the log of its BMC."""

import pytest

from lab.errors import LabError
from lab.harness.pacemaker import PowerCommand, fencings_in, power_commands

LOG = """
2026-12-01T03:02:43.563Z power status by fence from 198.18.0.14: off
2026-12-01T03:02:43.822Z power off by fence from 198.18.0.14: done
2026-12-01T03:02:44.135Z power on by fence from 198.18.0.14: done
"""


def fencings(*commands):
    """Return the names of the commands of each fencing; a result may follow a name after a colon."""
    given = [PowerCommand(float(when), *(f"{each}:done".split(":")[:2])) for when, each in enumerate(commands)]
    return [[each.name for each in fencing] for fencing in fencings_in(given)]


def test_the_log_of_a_bmc_is_read():
    assert power_commands(LOG.split("\n")[1:-1]) == [
        PowerCommand(1796094163.822, "off", "done"),
        PowerCommand(1796094164.135, "on", "done"),
    ]
    with pytest.raises(LabError, match="the log of a BMC is not valid: Traceback"):
        power_commands(["Traceback"])


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ([], []),
        (["off", "on"], [["off", "on"]]),
        (["on"], [["on"]]),  # of a node whose power was off already
        (["off"], [["off"]]),  # by off only
        (["cycle"], [["cycle"]]),
        (["reset"], [["reset"]]),
        (["off", "off", "on"], [["off"], ["off", "on"]]),
        (["off", "on", "on"], [["off", "on"], ["on"]]),
        (["cycle", "on"], [["cycle"], ["on"]]),
        (["off:failed", "on:the power is on"], [["off", "on"]]),
        (["on:the power is on"], []),
    ],
)
def test_each_fencing_counts_once_however_it_ends(commands, found):
    assert fencings(*commands) == found
