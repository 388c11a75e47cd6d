"""Both machines served for a while without seeing each other: nobody chose whose data is lost but the operator."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["partition"]
standby = next(node for node in measured["generations"] if node != measured["serving"])


def test_one_machine_serves_again_by_itself():
    print(f"\none machine serves again {measured['back']} s after the networks are mended")
    assert measured["serving"] in measured["generations"]


def test_the_divergence_is_reported_with_both_generations_and_not_resolved():
    assert measured["code"] != 0
    said = "\n".join(measured["said"])
    for node, generation in measured["generations"].items():
        assert node in said
        assert generation[:15] in said  # the last digit tells whether the side is Primary at the moment
    assert {states[1] for states in measured["apart"].values()} == {"StandAlone"}


def test_each_side_kept_its_own_data_until_the_operator_chose():
    assert measured["kept"][measured["serving"]] == [measured["serving"]]
    assert measured["after"] == [measured["serving"]]


def test_the_next_run_has_nothing_to_do():
    assert measured["next_run"] == {"debian1": 0, "debian2": 0}
