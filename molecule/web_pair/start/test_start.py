"""The pair serves its page, and both copies are up to date."""

from pair import pair, serving, wait_until_replicated

from lab.harness.steps import step


@step
def measured():
    """Wait for the page and for the first sync."""
    pair.wait_until("the page is served", lambda: serving() != "")
    wait_until_replicated()
    return {"serving": serving()}


def test_the_page_is_served(measured):
    assert measured["serving"]
