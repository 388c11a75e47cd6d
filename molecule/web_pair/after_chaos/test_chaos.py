"""Random faults under a writer and visitors: all that must hold held after each, and at rest a run changed nothing."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["chaos"]


def test_all_holds():
    faults = ", ".join(f"{each['name']} {each['away']:.1f} s" for each in measured["done"])
    print(f"\nCHAOS_SEED={measured['seed']}, {measured['seconds']} s, without the page: {faults}")
    assert measured["broken"] == []


def test_faults_were_inflicted():
    assert len(measured["done"]) >= 3
