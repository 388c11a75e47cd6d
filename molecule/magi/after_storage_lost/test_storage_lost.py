"""The storage was away for a minute: the service waited where it was."""

from lab import Lab
from lab.scenario import measured

seen = measured(Lab.open())["storage_lost"]


def test_nobody_was_reset_and_nothing_moved():
    assert seen["reset"] == []
    assert seen["stayed"]


def test_nothing_that_was_written_is_lost():
    assert seen["kept"]
