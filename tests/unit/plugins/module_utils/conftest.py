# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for the plan of every role, in every test that makes one."""
from __future__ import annotations

from typing import Any

import plan_conditions
import pytest
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles


@pytest.fixture(autouse=True)
def conditions_get_booleans(monkeypatch):
    """A condition whose result is no boolean is an error, from ansible-core 2.19 on."""
    for role in _roles.ROLES:
        domain = _roles.domain_of(role)

        def checked(*arguments: Any, role: str = role, plan: Any = domain.plan, **more: Any) -> Any:
            result = plan(*arguments, **more)
            plan_conditions.check(role, result)
            return result

        monkeypatch.setattr(domain, "plan", checked)
