"""The service runs on the preferred node, and clustat_facts returns what the tools themselves print."""

import json
from typing import Any

from magi import GROUP, NODES, VOLUME, crm_mon, lab, magi, online, owners, play, runs_on, wait_until_healthy

from lab.harness.steps import step


def raw(node: str) -> dict[str, Any]:
    """Return what corosync, pacemaker and LVM themselves print."""
    lines = lab.ssh(node, "corosync-quorumtool", "-s", check=False).splitlines()
    fields = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if line.count(":") == 1}
    active = {
        each: lab.ssh(each, "lvs", "--noheadings", "-o", "lv_active", VOLUME, check=False).strip() for each in NODES
    }
    found = crm_mon(node).find(f"resources/group[@id='{GROUP}']/resource/node")
    return {
        "quorate": fields["Quorate"] == "Yes",
        "expected": int(fields["Expected votes"]),
        "total": int(fields["Total votes"].split()[0]),
        "needed": int(fields["Quorum"].split()[0]),
        "online": sorted(online(node)),
        "owner": None if found is None else found.get("name"),
        "active": sorted(each for each, word in active.items() if word == "active"),
    }


@step
def measured():
    """Wait until the group runs, and read both."""
    wait_until_healthy()
    magi.wait_until("the group runs", lambda: len(owners()) == 1 and runs_on(owners()[0]))
    file = lab.paths.state / "clustat.json"
    play("molecule/magi/facts.yml", magi_facts=str(file))
    return {"raw": raw(NODES[0]), "facts": json.loads(file.read_text()), "owner": owners()}


def test_the_service_runs_on_the_preferred_node(measured):
    assert measured["owner"] == ["balthasar"] == measured["raw"]["active"]


def test_the_facts_agree_with_corosync(measured):
    raw, facts = measured["raw"], measured["facts"]
    assert facts["engine"] == "pacemaker"
    assert facts["cluster"]["quorate"] == raw["quorate"]
    assert facts["cluster"]["votes"] == {name: raw[name] for name in ("expected", "total", "needed")}


def test_the_facts_agree_with_pacemaker(measured):
    raw, facts = measured["raw"], measured["facts"]
    assert sorted(node["name"] for node in facts["nodes"] if node["online"]) == raw["online"]
    groups = {group["name"]: group for group in facts["groups"]}
    assert (groups["test"]["state"], groups["test"]["owner"]) == ("started", raw["owner"])
