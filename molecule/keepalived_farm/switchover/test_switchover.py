"""A planned move of the address takes less than a second, and breaks no connection."""

from farm import hold, other, without_ports
from keepalived import active, farm, healthy

from lab.harness.scenario import changed_by, require_success
from lab.harness.steps import step

TIMES, HELD = 3, 200


def switch_over() -> dict:
    """Move the address to the other director under visitors and held connections."""
    target = other(active())
    held = hold(HELD)
    run, seconds, outages = farm.play_under_visitors("playbooks/switchover.yml", to=target)
    require_success(run)
    farm.wait_until("the farm is healthy", healthy)
    return {"moved": active() == target, "seconds": seconds, "outages": outages, **without_ports(held.end())}


@step
def measured():
    """Move it there and back, and ask for what is there already."""
    runs = [switch_over() for _time in range(TIMES)]
    again = farm.play("playbooks/switchover.yml", to=active())
    return {"runs": runs, "again": changed_by(again.stdout)}


def test_each_move_is_short_and_breaks_nothing(measured):
    for run in measured["runs"]:
        print(f"\n{run}")
        assert run["moved"]
        assert sum(run["outages"]) <= 1
        assert run["alive"] == run["opened"] == HELD


def test_a_move_to_where_it_is_changes_nothing(measured):
    assert set(measured["again"].values()) == {0}
