# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Units of systemd, as systemctl prints their properties.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only.
"""
import re
from typing import Dict, List, Mapping, Sequence

PROPERTIES = "Id,LoadState,ActiveState,SubState,UnitFileState"


def show(names: Sequence[str]) -> List[str]:
    """Return the command that prints the properties of units."""
    return ["systemctl", "show", "--property=" + PROPERTIES] + list(names)


def _blocks(output: str) -> List[Dict[str, str]]:
    return [dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
            for block in re.split(r"\n\s*\n", output.strip())]


def parse_units(output: str) -> Dict[str, Dict[str, str]]:
    """Read the blocks of ``systemctl show --property=Id,... UNIT...``, by the unit's own name: an alias has none."""
    return {properties["Id"]: properties for properties in _blocks(output) if properties.get("Id")}


def parse_units_of(names: Sequence[str], output: str) -> Dict[str, Dict[str, str]]:
    """Read the blocks by the names that were asked for, which may be aliases; nothing without a system manager."""
    blocks = _blocks(output)
    return dict(zip(names, blocks)) if len(blocks) == len(names) else {}


def service_of(name: str) -> str:
    """Return the name of a service without the type of its unit."""
    return re.sub(r"\.service\Z", "", name)


def is_active(properties: Mapping[str, str]) -> bool:
    """Whether the unit runs, or is about to."""
    return properties.get("ActiveState") in ("active", "activating", "reloading")


def is_loaded(properties: Mapping[str, str]) -> bool:
    """Whether the unit exists and can be started."""
    return properties.get("LoadState") == "loaded"


def runs_or_starts(properties: Mapping[str, str]) -> bool:
    """Whether the unit runs, or will after the next boot."""
    return is_active(properties) or properties.get("UnitFileState", "").startswith("enabled")
