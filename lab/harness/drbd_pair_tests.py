"""What must hold whenever a web pair is healthy, under any cluster manager, read with plain tools on both machines."""

import json
from typing import Any

from lab import Lab
from lab.harness.drbd_pair import MOUNT, NODES
from lab.harness.steps import hosts

VIPS = {"192.168.69.16", "192.168.69.100"}
lab = Lab.open()


def fetch(address: str) -> str:
    """Return the page at an address."""
    with lab.connect(address, 80, 5) as wire:
        wire.sendall(f"GET / HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def drbd_roles() -> dict[str, str]:
    """Return each machine's own DRBD role."""
    return {name: host.check_output("drbdadm role repl").split("/")[0] for name, host in hosts(NODES).items()}


def addresses(host: Any) -> set[str]:
    """Return the IPv4 addresses of a machine."""
    listed = json.loads(host.check_output("ip -j -4 address"))
    return {info["local"] for link in listed for info in link["addr_info"]}


def test_both_copies_are_connected_and_up_to_date(host: Any) -> None:
    assert host.check_output("drbdadm cstate repl") == "Connected"
    assert host.check_output("drbdadm dstate repl") == "UpToDate/UpToDate"


def test_exactly_one_machine_is_primary() -> None:
    assert sorted(drbd_roles().values()) == ["Primary", "Secondary"]


def test_the_primary_alone_has_filesystem_addresses_and_web_server() -> None:
    roles = drbd_roles()
    for name, host in hosts(NODES).items():
        active = roles[name] == "Primary"
        assert (f" {MOUNT} ext4 " in host.file("/proc/mounts").content_string) == active
        assert addresses(host) & VIPS == (VIPS if active else set())
        assert host.service("apache2").is_running == active


def test_both_addresses_serve_the_page_of_the_primary() -> None:
    primary = next(name for name, role in drbd_roles().items() if role == "Primary")
    for address in VIPS:
        page = fetch(address)
        assert page.startswith("HTTP/1.1 200"), page
        assert primary in page


def same_on_both(*paths: str) -> list[str]:
    """Return the files that differ between the machines."""
    return [path for path in paths if len({host.file(path).sha256sum for host in hosts(NODES).values()}) != 1]


def test_the_clock_is_synchronised(host: Any) -> None:
    tracking = host.check_output("chronyc -c tracking").split(",")
    assert tracking[0] not in ("", "00000000", "7F7F0101"), tracking
    assert abs(float(tracking[4])) < 1.0
