"""A run that has nothing to do changes nothing; what it costs is printed."""

from lab import Lab
from lab.scenario import measured as all_measured

measured = all_measured(Lab.open())["unchanged_run"]


def test_nothing_is_changed():
    print(
        f"\nunchanged site.yml {measured['seconds']} s, parallel ssh {measured['bare_ssh']} s, "
        f"ratio {measured['ratio']}"
    )
    assert measured["codes"] == [0, 0, 0]
    assert measured["changed"] == {"debian1": 0, "debian2": 0}
    assert measured["tasks"] <= 9  # of which one asks the machines: all roles are seen to have nothing to do
