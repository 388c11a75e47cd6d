# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What several tests begin with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plan_conditions
import pytest
import yaml
from ansible_collections.linuxha.cluster.plugins.plugin_utils import _roles

ROOT = Path(__file__).resolve().parents[3]
HOSTS = ["balthasar", "casper", "melchior"]


def _load(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


MAGI = {**_load("roles/rhcs_cman/defaults/main.yml"), **_load("inventories/magi_cman/group_vars/magi_nodes.yml")}


def put(settings: dict[str, Any], path: str, value: Any) -> None:
    """Change one value of the settings: "nodes.0.id" is rhcs_cman_nodes[0]["id"]."""
    *way, last = path.split(".")
    place: Any = settings
    for number, name in enumerate(way):
        place = place[int(name)] if isinstance(place, list) else place["rhcs_cman_" + name if number == 0 else name]
    key: Any = int(last) if isinstance(place, list) else "rhcs_cman_" + last if not way else last
    place[key] = copy.deepcopy(value)


@pytest.fixture
def magi() -> Callable[..., dict[str, Any]]:
    """Return the settings of article 001, some of them changed: magi({"totem": {}}, release="el5")."""

    def settings(changes: dict[str, Any] | None = None, release: str = "el6") -> dict[str, Any]:
        made = copy.deepcopy(MAGI)
        made["rhcs_cman_release"] = release
        for path, value in (changes or {}).items():
            put(made, path, value)
        return made

    return settings


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
