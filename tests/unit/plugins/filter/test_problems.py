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
    assert check({"ntp_sundial": []}) == []  # nothing that the role has a name close to: host_facts warns of it


@pytest.mark.parametrize("settings, words", [
    ({"ntp_serverz": []},
     ["ntp_serverz: there is no such variable of the role ntp (did you mean ntp_servers?); "]),
    ({"ntp_local_stratun": 1},
     ["ntp_local_stratun: there is no such variable of the role ntp (did you mean ntp_local_stratum?); expected one of "
      "ntp_allow, "]),
    ({"ntp_sync_timeout": "soon"}, ["ntp_sync_timeout: 'soon' is not valid; expected a whole number"]),
    ({"ntp_require_sync": "perhaps"}, ["ntp_require_sync: 'perhaps' is not valid; expected true or false"]),
    ({"ntp_implementation": "sundial"}, ["ntp_implementation: 'sundial' is not valid; expected one of auto, chrony"]),
    ({"ntp_servers": [{"iburst": True}]}, ["ntp_servers[0].host: is missing; expected a text of one line"]),
    ({"ntp_servers": [{"host": "a", "prefered": True}]},
     ["ntp_servers[0].prefered: there is no such key (did you mean prefer?)"]),
    ({"ntp_servers": [{"host": "a", "minpoll": "often"}]},
     ["ntp_servers[0].minpoll: 'often' is not valid; expected a whole number"]),
])
def test_unknown_names_and_wrong_types_are_named(settings, words):
    found = check(settings)
    assert len(found) == 1
    assert [word for word in words if word not in found[0]] == []


def test_rules_of_the_tool_are_checked_once_names_and_types_are_right():
    assert check({"ntp_local_stratum": 99}) == [
        "ntp_local_stratum: 99 is not valid; expected 0 (never trust the host's own clock) or a stratum from 1 to 15"]
    assert len(check({"ntp_local_stratum": 99, "ntp_serverz": []})) == 1


@pytest.mark.parametrize("role, settings, message", [
    ("ntp", {"ntp_pools": ["pool\n"]}, "ntp_pools[0]: 'pool\\n' is not valid; expected a text of one line, w"),
    ("ntp", {"ntp_pools": ["٦٩٤"]}, "ntp_pools[0]: '٦٩٤' is not valid"),
    ("ntp", {"ntp_sync_timeout": "٦٩"}, "ntp_sync_timeout: '٦٩' is not valid; expected a whole number"),
    ("ntp", {"ntp_pools": "pool.example"}, "ntp_pools: 'pool.example' is not valid; expected a list"),
    ("ntp", {"ntp_pools": [None]}, "ntp_pools[0]: None is not valid; expected a text of one line"),
    ("ntp", {"ntp_pools": [{"a": 1}]}, "ntp_pools[0]: a mapping is not valid; expected a text of one line"),
    ("ntp", {"ntp_implementation": ["ntp"]}, "ntp_implementation: a list is not valid; expected one of auto"),
    ("ntp", {"ntp_step_threshold": "long"}, "ntp_step_threshold: 'long' is not valid; expected a number"),
    ("apache", {"apache_server_name": "a\n  Alias /etc /etc"}, "apache_server_name: 'a\\n  Alias /etc /etc' is not"),
    ("apache", {"apache_processes": []}, "apache_processes: [] is not valid; expected a mapping"),
    ("heartbeat", {"heartbeat_secret": "se\ncret", "heartbeat_nodes": ["a"]}, "heartbeat_secret: (not shown) is not"),
    ("clvm", {"clvm_targets": [{"portal": "a", "iqn": "b", "chap": "password"}]},
     "clvm_targets[0].chap: (not shown) is not valid"),
])
def test_no_string_has_line_ends_or_other_digits_and_no_secret_is_printed(role, settings, message):
    (found,) = check(settings, role)
    assert found.startswith(message)


def test_a_text_of_several_lines_may_have_line_ends():
    page = {"apache_first_page": "<h1>one</h1>\n<p>²</p>\n", "apache_server_name": "www.example"}
    assert check({**page, "apache_directives": ["<Location />\n</Location>"]}, "apache") == []
    assert check({**page, "apache_first_page": "a\x1b"}, "apache")


def test_numbers_and_truths_count_as_texts_and_null_as_not_given():
    assert check({"ntp_extra_lines": [5, True], "ntp_pools": None, "ntp_sync_timeout": None}) == []


def test_all_wrong_names_and_types_are_reported_at_once():
    wrong = {"ntp_serverz": [], "ntp_rtc_syn": True, "ntp_sync_timeout": "soon", "ntp_require_sync": "perhaps"}
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
