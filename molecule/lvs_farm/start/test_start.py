"""The farm serves its page, and both directors have both real servers."""

from farm import active, farm, healthy, served

from lab.harness.steps import step


@step
def measured():
    """Wait for both."""
    farm.wait_until("one director has the address", lambda: active() != "")
    farm.wait_until("both directors have both real servers", healthy)
    farm.wait_until("the page is served", served)
    return {"active": active()}


def test_one_director_is_active(measured):
    assert measured["active"]
