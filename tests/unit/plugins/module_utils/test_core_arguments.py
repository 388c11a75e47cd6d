# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Arguments that overwrite what is on a device, in every spelling."""
from __future__ import annotations

import pytest
from ansible_collections.linuxha.cluster.plugins.module_utils._core import arguments, schema


@pytest.mark.parametrize("given, option", [
    ("-F", "-F"), ("-FF", "-F"), ("-Kf", "-f"), ("-fy", "-f"), ("-yff", "-y"), ("-qF", "-F"), ("--force", "--force"),
    ("--forc", "--force"), ("--yes=x", "--yes"), ("-m0", ""), ("-Lfast", ""), ("-Oflex_bg", ""), ("-L", ""), ("-", ""),
    ("--", ""), ("^has_journal", ""), ("--format", ""), ("ftype=1", "")])
def test_an_option_is_found_however_it_is_written(given, option):
    assert arguments.refused_option(given, arguments.FORCE) == option
    assert bool(schema.read(arguments.argument(arguments.FORCE), given)[1]) == bool(option)
