"""The network of a lab: one bridge per segment and one tap per network card, all in the supervisor's own namespace.

Every function runs ``ip`` in the current network namespace; only the supervisor calls them.
"""

import hashlib
import subprocess
from pathlib import Path

from lab.errors import LabError


def run(*argv: str) -> None:
    """Run a program; LabError with its message when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"'{' '.join(argv)}' failed: {done.stderr.strip()}")


def _ip(*arguments: str) -> None:
    run("ip", *arguments)


def exists(device: str) -> bool:
    """Return whether the namespace has ``device``."""
    return subprocess.run(["ip", "link", "show", device], capture_output=True, check=False).returncode == 0


def start_loopback() -> None:
    """Bring lo up, which a new namespace leaves down."""
    _ip("link", "set", "lo", "up")


def create_bridge(device: str, address: str) -> None:
    """Create a segment. ``address`` is the lab's own in it, "192.168.69.254/24" or ""."""
    if not exists(device):
        # No multicast snooping: without a querier it would lose cluster multicast and IPVS sync.
        # A MAC address of its own: else a bridge uses the lowest of its ports, and the lab would change its address for
        # all machines when the cable of one of them is pulled.
        mac = ":".join(f"{byte:02x}" for byte in [2, *hashlib.sha256(device.encode()).digest()[:5]])
        _ip("link", "add", device, "address", mac, "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        _ip("link", "set", device, "up")
    _ip("address", "flush", "dev", device, "scope", "global")
    if address:
        _ip("address", "add", address, "dev", device)


def add_address(device: str, address: str) -> None:
    """Give a segment's bridge one more address."""
    # Without this, addresses of the same network go away with the first of them.
    Path(f"/proc/sys/net/ipv4/conf/{device}/promote_secondaries").write_text("1")
    _ip("address", "replace", address, "dev", device)


def remove_address(device: str, address: str) -> None:
    """Take an address off a segment's bridge."""
    _ip("address", "delete", address, "dev", device)


def create_tap(device: str) -> None:
    """Create the lab's end of a network card, not yet in a bridge."""
    if not exists(device):
        _ip("tuntap", "add", "dev", device, "mode", "tap")
    # Out of its bridge it is an interface of the lab's host, which must not reply for the segment.
    Path(f"/proc/sys/net/ipv4/conf/{device}/arp_ignore").write_text("8")
    ipv6 = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
    if ipv6.exists():
        ipv6.write_text("1")
    _ip("link", "set", device, "up")


def attach(device: str, bridge: str) -> None:
    """Plug ``device`` into ``bridge``."""
    _ip("link", "set", device, "master", bridge)


def detach(device: str) -> None:
    """Pull ``device`` out of its bridge. It stays up: a guest under load does not recover from writes that fail."""
    _ip("link", "set", device, "nomaster")
