# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter of the role ntp."""
from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.linuxha.cluster.plugins.filter import ntp_clock

FIXTURES = Path(__file__).parents[2] / "fixtures"
clock = ntp_clock.FilterModule().filters()["ntp_clock"]


def test_clock_that_follows_a_server_is_synchronised():
    answer = clock((FIXTURES / "chronyc/4.3-selected.txt").read_text(encoding="utf-8"), "chrony")
    assert answer["synchronised"] is True
    assert answer["sources"][0] == {"address": "192.168.69.254", "state": "selected", "stratum": 3, "reached": 4}


@pytest.mark.parametrize("allowed", [True, False])
def test_own_clock_counts_only_where_it_is_allowed(allowed):
    text = (FIXTURES / "ntpq/ntpsec-1.2.2-own-clock.txt").read_text(encoding="utf-8")
    assert clock(text, "ntpsec", own_clock=allowed)["synchronised"] is allowed


def test_unknown_daemon_is_a_filter_error():
    with pytest.raises(AnsibleFilterError, match="daemon: sundial is not valid; expected one of chrony"):
        clock("", "sundial")
