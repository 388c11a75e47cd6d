"""Send an ARP request for an address once a second; print the MAC addresses of all replies, a line for each request.

Usage: python3 arp_probe.py DEVICE OWN ADDRESS, in the lab's network (`python3 -m lab exec`). OWN is the lab's address.
It ends when nobody reads its lines.
"""

import socket
import struct
import sys
import time

ETH_P_ARP, ETH_P_IP, ETHERNET, REQUEST, REPLY = 0x0806, 0x0800, 1, 1, 2
FRAME = struct.Struct("!6s6sH HHBBH 6s4s6s4s")  # Ethernet, ARP's head, sender, target
BROADCAST, PAUSE = b"\xff" * 6, 1.0


def request(mac: bytes, own: str, address: str) -> bytes:
    """Return the broadcast frame that asks for the owner of an address."""
    head = (ETHERNET, ETH_P_IP, 6, 4, REQUEST)
    return FRAME.pack(BROADCAST, mac, ETH_P_ARP, *head, mac, socket.inet_aton(own), bytes(6), socket.inet_aton(address))


def replier(frame: bytes, address: str) -> str:
    """Return the MAC address that a frame says has the address; "" when the frame is no such reply."""
    if len(frame) < FRAME.size:
        return ""
    fields = FRAME.unpack_from(frame)
    return fields[8].hex(":") if (fields[7], fields[9]) == (REPLY, socket.inet_aton(address)) else ""


def main(device: str, own: str, address: str) -> None:
    """Send requests until nobody reads the output."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    wire.bind((device, ETH_P_ARP))
    frame = request(wire.getsockname()[4], own, address)
    while True:
        wire.send(frame)
        owners, until = set(), time.monotonic() + PAUSE
        while (left := until - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                owners.add(replier(wire.recv(256), address))
            except TimeoutError:
                break
        print(*sorted(owners - {""}), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BrokenPipeError:
        sys.exit(0)
