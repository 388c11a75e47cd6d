# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the facts show that nothing has to change; more is in the tests of the action config_files."""
from __future__ import annotations

from ansible_collections.linuxha.cluster.plugins.filter.files_settled import FilterModule
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import Found, seen_from

files_settled = FilterModule().filters()["files_settled"]
FILE = {"dest": "/etc/site", "content": "text\n"}
SEEN = {"files": {"/etc/site": seen_from(Found("file", "text\n", 0o644, "root", "root"))}, "pending": {}}


def test_files_whose_facts_match_need_no_change():
    assert files_settled({"files": [FILE]}, SEEN)
    assert not files_settled({"files": [dict(FILE, content="other\n")]}, SEEN)


def test_arguments_that_are_not_valid_are_left_to_the_module():
    assert not files_settled({"files": [{"content": "text\n"}]}, SEEN)
    assert not files_settled({"files": [dict(FILE, mode="rw")]}, SEEN)


def test_containers_are_copied_without_what_hangs_on_them():
    """Ansible's lazy containers carry all variables, and a deep copy of them takes a second."""

    class Lazy(dict):
        def __deepcopy__(self, _memory):
            raise AssertionError("it was copied with all variables")

    assert files_settled({"files": [Lazy(FILE)]}, SEEN)
