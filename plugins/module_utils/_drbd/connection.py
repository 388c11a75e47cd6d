# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection of a DRBD resource: whether a wait is over, and what to report when it is not, or when it was dropped.

Private to linuxha.cluster; nothing outside may import it.
"""
from typing import Any, Optional

from .resource import SYNCING, Live, State, is_linked, is_uptodate, percentage, render_generation


def standalone_text(state: State, desired: Any) -> str:
    """Return all that is known of a StandAlone connection, and the commands that an administrator can choose from."""
    live, peer = state.live or Live(), state.config.peer if state.config else "the other side"
    known = [entry for entry in desired.peers or () if entry.node == peer and entry.generation]
    other = render_generation(known[0].generation) if known else "not known from here (`drbdadm get-gi %s` there)" % (
        desired.name)
    return (
        "{name} is StandAlone on {node}: DRBD gave up the connection to {peer} and does not take it up again by "
        "itself. Perhaps both sides were written to while they did not see each other (split brain). Nothing was "
        "changed, and whose data is kept is not chosen here.\n"
        "  {node}: role {role}, disk {disk}, generation {mine}\n"
        "  {peer}: generation {other}\n"
        "First try, on each side that is StandAlone: drbdadm connect {name}\n"
        "  (no data is given up by it: DRBD connects if one side only missed what the other one has)\n"
        "If it is StandAlone again, decide which side loses what it wrote since they parted. On that side:\n"
        "  drbdadm secondary {name}; drbdadm connect --discard-my-data {name}\n"
        "  (before that `drbdadm disconnect {name}` if it is not StandAlone)\n"
        "and on the other one, if it is StandAlone too:\n"
        "  drbdadm connect {name}").format(
            name=desired.name, node=state.node, peer=peer, role=live.role, disk=live.disk,
            mine=render_generation(state.generation) or "not readable", other=other)


def is_reached(live: Optional[Live], wait: str) -> bool:
    """Whether what ``wait`` names (connected, uptodate) has come."""
    return is_linked(live) if wait == "connected" else is_uptodate(live)


def waiting_text(live: Optional[Live], wait: str, seconds: int, desired: Any) -> str:
    """Return how far a wait came until its timeout."""
    live = live or Live()
    done = percentage(live)
    text = ("%s was not %s within %d s: connection %s, replication %s, disk %s here and %s on the other side%s. "
            % (desired.name, wait, seconds, live.connection or "none", live.replication, live.disk, live.peer_disk,
               "" if done is None else ", %s %% in sync" % done))
    if not is_linked(live):
        return text + "Is the other side up, and does its address answer? If it is StandAlone there, ask it why."
    if (live.disk, live.peer_disk) == ("Inconsistent", "Inconsistent") and live.replication not in SYNCING:
        return text + "Neither side holds data: say with `initial_sync` where the first sync is to come from."
    return text + "Allow more time (`timeout`), or run again: what was done is kept."
