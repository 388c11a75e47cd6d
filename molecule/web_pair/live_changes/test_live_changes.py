"""A running pair is changed: no fetch fails, and what is not changed is not restarted."""

import json

import pytest
from pair import NODES, lab, pair, serving, setting, start_times

from lab.harness.scenario import changed_by, declared
from lab.harness.steps import step

CHANGES = ("address_added", "keepalive_changed", "all_reverted")


@step
def measured():
    """Add an address, change the keepalive, and revert both, under visitors."""
    groups = json.loads(json.dumps(declared(NODES[0], "heartbeat_groups")))
    groups[0]["resources"].insert(2, {"ip": {"address": "192.168.69.17/24"}})
    variables = ({"heartbeat_groups": groups}, {"heartbeat_groups": groups, "heartbeat_keepalive": "500ms"}, {})
    active = serving()
    before = start_times(active)
    seen = {}
    for change, changed in zip(CHANGES, variables, strict=True):
        with pair.visitors() as probe:
            run = pair.play("site.yml", **changed)
        seen[change] = {
            "code": run.returncode,
            "changed": changed_by(run.stdout),
            "outage": probe.longest(),
            "extra_address": "192.168.69.17/" in lab.ssh(active, "ip", "-4", "-o", "address"),
            "not_restarted": start_times(active) == before,
            "keepalive": setting(active, "keepalive"),
            "serving": serving(),
        }
        if run.returncode:
            print(run.stdout)
    return {"active": active, **seen}


@pytest.mark.parametrize("change", CHANGES)
def test_no_fetch_failed_and_nothing_else_was_restarted(measured, change):
    print(f"\n{change}: longest outage {measured[change]['outage']} s")
    assert measured[change]["code"] == 0
    assert all(measured[change]["changed"].values())
    assert measured[change]["outage"] == 0
    assert measured[change]["not_restarted"]
    assert measured[change]["serving"] == measured["active"]


def test_each_change_is_active(measured):
    added, faster, reverted = (measured[change] for change in CHANGES)
    assert added["extra_address"]
    assert (added["keepalive"], faster["keepalive"]) == ("1", "500ms")
    assert not reverted["extra_address"]
    assert reverted["keepalive"] == "1"
