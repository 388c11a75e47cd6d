# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The changes of the role lvs_director in words.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
from typing import Any, Collection, List, Mapping, Sequence, Tuple

from .keepalived_role import UNIT


def sentences(steps: Mapping[str, Any], files: Sequence[str], table: Sequence[str]) -> List[str]:
    """Return one sentence for each change, in the order of the steps."""
    found = ["install " + name for name in steps["packages"]]
    found += ["disable %s at boot" % unit for unit in steps["disable"]]
    found += ["drain real servers of " + file.path for file in steps["quiesce"]]
    found += ["stop ldirectord for " + name for name in steps["stop"]]
    found += ["stop and disable " + unit for unit in steps["stop_units"]]
    found += list(files)
    found += ["load the kernel module " + name for name in steps["modules"]]
    found += ["set " + setting for setting in steps["sysctls"]]
    found += ["%s %s and enable it at boot" % ("start" if unit == UNIT else "restart", unit) for unit in steps["start"]]
    found += ["enable %s at boot" % unit for unit in steps["enable"]]
    found += list(table) + steps["repairs"]
    found += ["start " + unit for unit in steps["restore"]]
    found += ["reload ldirectord for " + name for name in steps["reload"]]
    found += ["reload " + steps["reload_unit"]] if steps.get("reload_unit") else []
    found += ["remove " + path for path in steps["remove"]]
    return found + (["remove the state file of ldirectord"] if steps["pending"] else [])


def warnings_of_marks(marks: Mapping[Tuple[int, int], str], seen: Collection[Tuple[int, int]], node: str) -> List[str]:
    """Return one warning for each firewall mark of a service, with its family, that no rule of the host sets."""
    return ["lvs_director_services: %s needs packets with the firewall mark %d, and no rule on %s sets it, so it "
            "gets none. To continue: %s -t mangle -A PREROUTING -d ADDRESS -p tcp -m multiport --dports PORTS "
            "-j MARK --set-mark %d" % (name, mark, node, "ip6tables" if family == 6 else "iptables", mark)
            for (mark, family), name in marks.items() if (mark, family) not in seen]
