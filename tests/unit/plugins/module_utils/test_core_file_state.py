# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state of a path."""

from __future__ import annotations

import grp
import os
import pwd

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import file_state
from ansible_collections.linuxha.cluster.plugins.module_utils._core.config_files import Found
from ansible_collections.linuxha.cluster.plugins.module_utils._core.plan import HaError

OWNER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


def test_files_and_folders_are_seen_with_owner_group_and_mode(tmp_path):
    place = tmp_path / "file"
    assert file_state.inspect_path(str(place)) == Found()
    place.write_text("a\r\n", newline="")
    place.chmod(0o640)
    assert file_state.inspect_path(str(place)) == Found("file", "a\r\n", 0o640, OWNER, GROUP)
    tmp_path.chmod(0o2755)
    assert file_state.inspect_path(str(tmp_path)) == Found("folder", "", 0o2755, OWNER, GROUP)
    assert file_state.inspect_path("/dev/null").kind == "other"


def test_a_place_on_a_filesystem_that_is_not_mounted_is_said_to_be_so(tmp_path):
    assert file_state.inspect_path(str(tmp_path), str(tmp_path)).kind == "unmounted"
    assert file_state.inspect_path(str(tmp_path), "/").kind == "folder"


def test_what_cannot_be_read_is_an_error():
    with pytest.raises(HaError, match="^/etc/passwd/x cannot be read: Not a directory$"):
        file_state.inspect_path("/etc/passwd/x")


def test_owners_without_a_name_are_numbers():
    assert file_state._name_of(grp.getgrgid, 4294967000) == "4294967000"
