"""Maintenance and reboots of the directors, one after the other; the status before and after."""

from farm import other
from keepalived import active, farm, healthy, lab, runs

from lab.harness.scenario import require_success
from lab.harness.steps import step


@step
def measured():
    """Set the active director to maintenance and back, then reboot all nodes."""
    status = farm.play("playbooks/status.yml").returncode
    node = active()
    on = farm.play("playbooks/maintenance.yml", node=node, state="on")
    there, stopped = active() == other(node), not runs(node)
    during = farm.play("playbooks/status.yml").returncode
    off = farm.play("playbooks/maintenance.yml", node=node, state="off")
    require_success(on, off)
    boots = [lab.ssh(name, "cat", "/proc/sys/kernel/random/boot_id") for name in farm.nodes]
    run, seconds, outages = farm.play_under_visitors("playbooks/rolling_reboot.yml")
    require_success(run)
    farm.wait_until("the farm is healthy", healthy)
    rebooted = [lab.ssh(name, "cat", "/proc/sys/kernel/random/boot_id") for name in farm.nodes]
    return {
        "status": [status, during, farm.play("playbooks/status.yml").returncode],
        "there": there,
        "stopped": stopped,
        "rebooted": all(one != two for one, two in zip(boots, rebooted, strict=True)),
        "seconds": seconds,
        "outages": outages,
    }


def test_maintenance_moves_the_address_and_stops_keepalived(measured):
    assert measured["there"]
    assert measured["stopped"]


def test_status(measured):
    assert measured["status"] == [0, 2, 0]


def test_both_directors_were_rebooted_and_the_page_was_served(measured):
    print(f"\nrolling reboot {measured['seconds']} s, outages {measured['outages']}")
    assert measured["rebooted"]
    assert sum(measured["outages"]) <= 2
