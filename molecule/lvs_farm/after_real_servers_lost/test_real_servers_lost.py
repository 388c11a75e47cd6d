"""A dead real server is taken out in time; the maintenance page is for the time when none lives."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["real_servers_lost"]


def test_a_dead_real_server_is_taken_out_in_time():
    print(f"\ntaken out after {measured['taken_out']} s, bound {measured['bound']} s = checkinterval + checktimeout")
    assert measured["taken_out"] <= measured["bound"]


def test_only_what_was_under_way_failed():
    print(
        f"\n{measured['fetches']} fetches, {measured['failed_before']} failed before it was out, "
        f"{measured['failed_after']} after"
    )
    assert measured["failed_before"] > 0
    assert measured["failed_after"] == []


def test_the_maintenance_page_came_only_when_none_lived():
    print(f"\n{measured['steps']}")
    assert not measured["sorry_while_one_lived"]
    assert len(measured["steps"]) == 3
