"""The service runs, and clustat_facts says what the raw tools say."""

from lab import Lab
from lab.scenario import measured

start = measured(Lab.open())["start"]
raw, facts = start["raw"], start["facts"]


def test_the_service_runs_on_the_preferred_node():
    assert start["owner"] == ["balthasar"] == raw["active"]


def test_the_facts_are_what_corosync_says():
    assert facts["engine"] == "pacemaker"
    assert facts["cluster"]["quorate"] == raw["quorate"]
    assert facts["cluster"]["votes"] == {name: raw[name] for name in ("expected", "total", "needed")}


def test_the_facts_are_what_pacemaker_says():
    assert sorted(node["name"] for node in facts["nodes"] if node["online"]) == raw["online"]
    groups = {group["name"]: group for group in facts["groups"]}
    assert (groups["test"]["state"], groups["test"]["owner"]) == ("started", raw["owner"])
