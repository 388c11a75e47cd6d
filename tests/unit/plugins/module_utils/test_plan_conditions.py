# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The check of all plans (in conftest.py) finds the values, and refuses what is no boolean."""
from __future__ import annotations

import plan_conditions
import pytest
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles


def test_values_that_stand_alone_in_a_condition_are_found():
    found = {role: plan_conditions.bare_values(role) for role in _roles.ROLES}
    assert "start" in found["ntp"]
    assert {"key.missing", "is_first", "reboot"} <= found["pacemaker"]
    assert "test" not in found["pacemaker"]  # a name; its length is compared


def test_a_value_that_is_no_boolean_is_refused():
    plan = dict.fromkeys(plan_conditions.bare_values("ntp"), True)
    plan_conditions.check("ntp", plan)
    with pytest.raises(AssertionError, match="__ntp_plan.start: 'chrony' in a condition"):
        plan_conditions.check("ntp", dict(plan, start="chrony"))
