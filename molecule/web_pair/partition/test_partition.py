"""Both nodes served for a while without hearing each other: DRBD chooses no side, only the operator does."""

from divergence import diverge, written
from pair import NODES, RESOURCE, drbd, lab, other, pair, serving, wait_until_replicated

from lab.harness.scenario import changed_by
from lab.harness.steps import step


@step
def measured():
    """Let the copies diverge, run site.yml, and resolve the divergence with the commands that its error names."""
    first = serving()
    active, back = diverge()
    generations = {node: lab.ssh(node, "drbdadm", "get-gi", RESOURCE).split(":")[0] for node in NODES}
    refused = pair.play("site.yml")
    states = {node: [drbd(node, "role"), drbd(node, "cstate")] for node in NODES}
    kept = {active: written(active)}
    lab.ssh(other(active), f"drbdadm secondary {RESOURCE}; drbdadm connect --discard-my-data {RESOURCE}")
    lab.ssh(active, "drbdadm", "connect", RESOURCE)
    wait_until_replicated()
    return {
        "first": first,
        "serving": active,
        "back": back,
        "generations": generations,
        "code": refused.returncode,
        "errors": [line for line in refused.stdout.splitlines() if "StandAlone" in line or "generation" in line],
        "states": states,
        "kept": kept,
        "after": written(active),
        "next_run": changed_by(pair.play("site.yml").stdout),
    }


def test_one_node_serves_again_by_itself(measured):
    print(f"\none node serves again {measured['back']} s after the networks are mended")
    assert measured["serving"] in measured["generations"]


def test_the_divergence_is_reported_with_both_generations_and_not_resolved(measured):
    assert measured["code"] != 0
    errors = "\n".join(measured["errors"])
    for node, generation in measured["generations"].items():
        assert node in errors
        assert generation[:15] in errors  # the last digit depends on whether the side is Primary at the moment
    assert {states[1] for states in measured["states"].values()} == {"StandAlone"}


def test_each_side_kept_its_own_data_until_the_operator_chose(measured):
    assert measured["kept"][measured["serving"]] == [measured["serving"]]
    assert measured["after"] == [measured["serving"]]


def test_the_next_run_changes_nothing(measured):
    assert measured["next_run"] == {"debian1": 0, "debian2": 0}
