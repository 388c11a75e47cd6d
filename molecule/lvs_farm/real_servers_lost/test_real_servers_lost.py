"""A dead real server is taken out in time; the maintenance page is served only while none is up."""

import subprocess
import time

from farm import REALS, active, farm, healthy, lab

from lab.harness.scenario import declared
from lab.harness.steps import step


@step
def measured():
    """Switch the power of one real server off, then of the last one too, and on again one after the other."""
    director, victim, survivor = active(), "reel2", "reel1"
    limits = declared(director, "lvs_director_globals")
    gone = f"while ipvsadm --save -n | grep -q {REALS[victim]}; do sleep 0.05; done; date +%s.%N"
    with farm.visitors() as probe:
        watch = subprocess.Popen(lab.ssh_argv(director, gone), stdout=subprocess.PIPE, text=True)
        offset = time.time() - time.monotonic()
        began = time.time()
        lab.power_off(victim)
        out = float(watch.communicate(timeout=60)[0])
        time.sleep(5)
    bad = [(fetch.began + offset, fetch.text) for fetch in probe.fetches if fetch.status != 200]
    seconds: dict[str, float] = {}

    def wait_for_page(what: str, word: str) -> None:
        since = time.monotonic()
        farm.wait_until(what, lambda: word in farm.page())
        seconds[what] = round(time.monotonic() - since, 1)

    lab.power_off(survivor)
    wait_for_page("the maintenance page", "Sorry")
    lab.power_on(survivor)
    wait_for_page("the real page again", f"Served by {survivor}")
    lab.power_on(victim)
    farm.wait_until("both real servers are back", healthy)
    wait_for_page("a page of the other one too", f"Served by {victim}")
    return {
        "taken_out": round(out - began, 2),
        "bound": limits["checkinterval"] + limits["checktimeout"],
        "failed_before": sum(moment <= out for moment, _ in bad),
        "failed_after": [(round(moment - out, 2), text) for moment, text in bad if moment > out + 0.1],
        "fetches": len(probe.fetches),
        "sorry_while_one_was_up": any("Sorry" in fetch.text for fetch in probe.good()),
        "seconds": seconds,
    }


def test_a_dead_real_server_is_taken_out_in_time(measured):
    print(f"\ntaken out after {measured['taken_out']} s, bound {measured['bound']} s: checkinterval + checktimeout")
    assert measured["taken_out"] <= measured["bound"]


def test_only_what_was_under_way_failed(measured):
    counts = f"{measured['failed_before']} failed before it was taken out, {measured['failed_after']} after"
    print(f"\n{measured['fetches']} fetches, {counts}")
    assert measured["failed_before"] > 0
    assert measured["failed_after"] == []


def test_the_maintenance_page_was_served_only_when_none_was_up(measured):
    print(f"\n{measured['seconds']}")
    assert not measured["sorry_while_one_was_up"]
    assert len(measured["seconds"]) == 3
