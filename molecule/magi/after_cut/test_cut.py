"""A node lost its network: the others fenced it and went on, it was reset and came back."""

from lab import Lab
from lab.scenario import measured as all_measured

cut = all_measured(Lab.open())["cut"]
TOKEN, CONSENSUS, MSGWAIT = 5.65, 6.78, 20.0  # seconds; corosync adds 0.65 s for the third node
SLACK = 15.0  # starting the agent on a slow machine


def test_it_was_fenced_in_time():
    bound = TOKEN + CONSENSUS + MSGWAIT + SLACK
    print(f"\nfenced after {cut['fenced']} s, bound {bound:.1f} s; reset seen after {cut['reset']} s")
    assert cut["fenced"] <= bound


def test_the_others_kept_quorum():
    assert cut["went_on"]


def test_the_service_runs_on_another_node_with_all_that_was_written():
    print(f"\nthe service runs again after {cut['running']} s, on {cut['owner']}")
    assert cut["owner"] != cut["victim"]
    assert cut["kept"]


def test_it_stays_there_when_the_node_is_back():
    assert cut["owner_at_last"] == [cut["owner"]]
