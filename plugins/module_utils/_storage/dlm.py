# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long dlm waits for a node that has booted before it has it fenced: post_join_delay of dlm.conf(5).

corosync starts at boot at once, sbd starts Pacemaker and dlm only after SBD_DELAY_START. Where a node boots within
corosync's token timeout, the others see it leave and join at the same moment, and nobody has fenced it. dlm then waits
post_join_delay, 30 s by default, for dlm on that node, and has the node fenced if it is not there: a healthy node,
which boots as fast as before, and is fenced again, for ever.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller, by the role clvm.
"""
import re
from typing import Mapping, Optional

FILE = "/etc/dlm/dlm.conf"
SBD_FILES = ("/etc/default/sbd", "/etc/sysconfig/sbd")
DEFAULT = 30  # seconds; also what is left for the boot and the start of dlm after sbd's delay
RUNNING = ("pidof", "dlm_controld")
_SBD = re.compile(r"^\s*SBD_DELAY_START=[\"']?([0-9]{1,6})[\"']?\s*$", re.MULTILINE)
_DLM = re.compile(r"^\s*post_join_delay\s*=\s*([0-9]{1,6})\s*$", re.MULTILINE)


def join_delay(texts: Mapping[str, Optional[str]]) -> int:
    """Return the seconds to write into dlm.conf; 0 where the file may stay as it is.

    texts: of FILE and of SBD_FILES by path, None where there is none.
    """
    delays = [int(value) for path in SBD_FILES for value in _SBD.findall(texts.get(path) or "")[-1:]]
    set_to = int((_DLM.findall(texts.get(FILE) or "") or [DEFAULT])[-1])
    needed = max(delays or [0]) + DEFAULT
    return needed if needed > max(set_to, DEFAULT) else 0
