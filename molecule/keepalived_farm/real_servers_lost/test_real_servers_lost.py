"""A dead real server is taken out in time; the maintenance page is served only while none is up."""

import time

from keepalived import DIRECTORS, REALS, farm, healthy, lab, table, variable

from lab.harness.steps import step


@step
def measured():
    """Switch the power of one real server off, then of the last one too, and on again one after the other."""
    limits = variable("lvs_director_globals")
    with farm.visitors() as probe:
        began = time.monotonic()
        lab.power_off("reel2")
        out = (
            farm.wait_until(
                "it is out on both directors",
                lambda: all(REALS["reel2"] not in table(node) for node in DIRECTORS),
                pause=0.05,
            )
            - began
        )
        time.sleep(5)
    late = [fetch for fetch in probe.fetches if fetch.status != 200 and fetch.began > began + out + 0.1]
    sorry = any("Sorry" in fetch.text for fetch in probe.good())
    seconds = {}

    def wait_for_page(what: str, word: str) -> None:
        since = time.monotonic()
        farm.wait_until(what, lambda: word in farm.page())
        seconds[what] = round(time.monotonic() - since, 1)

    lab.power_off("reel1")
    wait_for_page("the maintenance page", "Sorry")
    lab.power_on("reel1")
    wait_for_page("the real page again", "Served by reel1")
    lab.power_on("reel2")
    farm.wait_until("both real servers are back", healthy)
    wait_for_page("a page of the other one too", "Served by reel2")
    return {
        "taken_out": round(out, 2),
        "bound": limits["checkinterval"] + limits["negotiatetimeout"] + 1,
        "late": len(late),
        "sorry": sorry,
        "seconds": seconds,
    }


def test_a_dead_real_server_is_taken_out_in_time(measured):
    print(f"\ntaken out after {measured['taken_out']} s, bound {measured['bound']} s; {measured['seconds']}")
    assert measured["taken_out"] <= measured["bound"]
    assert measured["late"] == 0


def test_the_maintenance_page_was_served_only_when_none_was_up(measured):
    assert not measured["sorry"]
    assert len(measured["seconds"]) == 3
