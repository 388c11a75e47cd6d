# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The rules for the variables of the role rhcs_cman: what holds for both stacks, then those of the chosen stack.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Callable, Dict, List, Sequence

from .._model import cluster as _cluster
from .._pacemaker import settings as pacemaker_rules
from . import settings as cman_rules

Settings = Dict[str, Any]

# Each stack's check: of a cluster that is well described, and of the variables, one sentence for each broken rule.
STACKS: Dict[str, Callable[[_cluster.Cluster, Settings], List[str]]] = {
    "cman": cman_rules.check_cluster,
    "pacemaker": pacemaker_rules.check_cluster,
}


def check_settings(settings: Settings, hosts: Sequence[str]) -> List[str]:
    """Return one sentence for each variable that breaks a rule; names and types are right."""
    cluster, faults = _cluster.read_cluster(settings)
    if faults:
        return faults
    faults = _check_timeout(settings) + _cluster.check_hosts(cluster, hosts)
    return faults + STACKS[settings["rhcs_cman_stack"]](cluster, settings)


def _check_timeout(settings: Settings) -> List[str]:
    """Without a try, the wait for the members would be none."""
    seconds = settings["rhcs_cman_start_timeout"]
    return [] if seconds > 0 else ["rhcs_cman_start_timeout: %s is not valid; expected seconds, 1 or more" % seconds]
