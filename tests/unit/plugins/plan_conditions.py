# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which values of a role's plan its tasks use as they are in a condition."""
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"
COMPARED = re.compile(r" is | in |==|!=|<|>|^not |\|")  # the result of a comparison, a test or a filter


def conditions(node: Any) -> list[str]:
    """Return all conditions of a list of tasks."""
    if isinstance(node, list):
        return [found for each in node for found in conditions(each)]
    if not isinstance(node, dict):
        return []
    when = node.get("when", [])
    return [str(each) for each in (when if isinstance(when, list) else [when])] + [
        found for value in node.values() for found in conditions(value)]


@lru_cache(maxsize=None)
def bare_values(role: str) -> frozenset[str]:
    """Return the values of a role's plan that stand alone in a condition, such as "start" or "key.missing"."""
    found = set()
    for file in (ROLES / role / "tasks").glob("*.yml"):
        for condition in conditions(yaml.safe_load(file.read_text(encoding="utf-8"))):
            for term in re.split(r"\band\b|\bor\b|[()]", condition):
                if not COMPARED.search(term.strip()):
                    found.update(re.findall(rf"^__{role}_plan\.([\w.]+)$", term.strip()))
    return frozenset(found)


def check(role: str, plan: Mapping[str, Any]) -> None:
    """Raise AssertionError for a value that is no boolean; a plan that only refuses has no other values."""
    for path in () if plan.get("refusals") else bare_values(role):
        value: Any = plan
        for key in path.split("."):
            value = value[key]
        assert isinstance(value, bool), f"__{role}_plan.{path}: {value!r} in a condition"
