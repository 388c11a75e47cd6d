"""Let the copies of the web pair diverge, in the main resource or in a second one."""

import time

from pair import MOUNT, NODES, drbd, lab, pair, primaries, serving


def diverge() -> tuple[str, float]:
    """Cut both networks of one node, let both write, mend; return who serves, and after how many seconds."""
    first = serving()
    lab.cut(first, "eth0")
    lab.cut(first, "eth1")
    pair.wait_until("both nodes are Primary", lambda: all(drbd(n, "role") == "Primary/Unknown" for n in NODES))
    pair.wait_until("both have mounted", lambda: all(MOUNT in lab.ssh(n, "cat", "/proc/mounts") for n in NODES))
    for node in NODES:
        lab.ssh(node, f"rm -f {MOUNT}/written-by-*; echo {node} > {MOUNT}/written-by-{node}; sync")
    lab.mend(first, "eth0")
    lab.mend(first, "eth1")
    mended = time.monotonic()
    pair.wait_until("both report the divergence", lambda: all(drbd(n, "cstate") == "StandAlone" for n in NODES))
    since = pair.wait_until_stable("only one node serves", lambda: serving() in NODES and primaries() == [serving()])
    return serving(), round(since - mended, 1)


def written(node: str) -> list[str]:
    """Return the nodes whose files are on the filesystem that a node has mounted."""
    return [n for n in NODES if f"written-by-{n}" in lab.ssh(node, "ls", MOUNT).split()]


def second_cstates() -> list[str]:
    """Return the connection state of the second resource on both nodes."""
    return [lab.ssh(node, "drbdadm", "cstate", "second", check=False).strip() for node in NODES]


def second_replicated() -> bool:
    """Return whether both copies of the second resource are connected and up to date."""
    return second_cstates() == ["Connected"] * 2 and all(
        lab.ssh(node, "drbdadm", "dstate", "second").strip() == "UpToDate/UpToDate" for node in NODES
    )


def on_both(verb: str) -> None:
    """Run drbdadm for the second resource on both nodes."""
    for node in NODES:
        lab.ssh(node, "drbdadm", verb, "second")
