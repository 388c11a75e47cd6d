# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The check of a role's variables, on the controller."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import problems as problems_filter
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

ROLES = Path(__file__).resolve().parents[4] / "roles"
problems = problems_filter.FilterModule().filters()["problems"]


def check(settings, role="ntp"):
    return problems(settings, role, ["debian1", "debian2"])


def test_right_variables_have_no_problem_and_defaults_fill_the_rest():
    assert check({"ntp_servers": [{"host": "192.168.69.254"}], "ntp_sync_timeout": "60"}) == []


@pytest.mark.parametrize("settings, words", [
    ({"ntp_serverz": []}, ["ntp_serverz is no variable of the role ntp", "did you mean ntp_servers?"]),
    ({"ntp_sundial": []}, ["ntp_sundial is no variable of the role ntp", "expected one of ntp_allow, "]),
    ({"ntp_sync_timeout": "soon"}, ["ntp_sync_timeout", "int"]),
    ({"ntp_require_sync": "perhaps"}, ["ntp_require_sync", "bool"]),
    ({"ntp_implementation": "sundial"}, ["ntp_implementation", "sundial", "chrony"]),
    ({"ntp_servers": [{"iburst": True}]}, ["ntp_servers", "host"]),
    ({"ntp_servers": [{"host": "a", "prefered": True}]}, ["unknown option", "ntp_servers", "prefered"]),
    ({"ntp_servers": [{"host": "a", "minpoll": "often"}]}, ["ntp_servers", "minpoll", "int"]),
])
def test_unknown_names_and_wrong_types_are_named(settings, words):
    found = check(settings)
    assert len(found) == 1
    assert [word for word in words if word not in found[0]] == []


def test_rules_of_the_tool_are_checked_once_names_and_types_are_right():
    assert check({"ntp_local_stratum": 99}) == [
        "ntp_local_stratum is 99; expected 0 (never trust the own clock) or a stratum from 1 to 15"]
    assert len(check({"ntp_local_stratum": 99, "ntp_serverz": []})) == 1


def test_all_wrong_names_and_types_are_told_at_once():
    wrong = {"ntp_serverz": [], "ntp_rtc": True, "ntp_sync_timeout": "soon", "ntp_require_sync": "perhaps"}
    assert len(check(wrong)) == 4


def test_unknown_role_is_a_mistake_of_the_caller():
    with pytest.raises(AnsibleFilterError, match="there is no role 'sundial'; expected one of .*ntp"):
        problems({}, "sundial", [])


@pytest.mark.parametrize("role", sorted(_roles.ROLES))
def test_every_role_has_a_validator(role):
    assert (ROLES / role).is_dir()
    assert callable(_roles.domain_of(role).check_settings)


def test_containers_are_copied_without_what_hangs_on_them():
    """Ansible's lazy containers carry all variables, and a deep copy of them takes a second."""

    class Lazy(list):
        def __deepcopy__(self, _memory):
            raise AssertionError("it was copied with all variables")

    assert check({"ntp_servers": Lazy([{"host": "192.168.69.254"}])}) == []
