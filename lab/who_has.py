"""Ask once a second who has an address, and print all who answer: their MAC addresses, a line for each question.

Usage: python3 who_has.py DEVICE OWN ADDRESS, in the lab's network (`python3 -m lab exec`). OWN is the lab's address.
It ends when nobody reads its lines.
"""

import socket
import struct
import sys
import time

ETH_P_ARP, ETH_P_IP, ETHERNET, REQUEST, REPLY = 0x0806, 0x0800, 1, 1, 2
FRAME = struct.Struct("!6s6sH HHBBH 6s4s6s4s")  # Ethernet, ARP's head, sender, target
EVERYBODY, PAUSE = b"\xff" * 6, 1.0


def question(mac: bytes, own: str, address: str) -> bytes:
    """Return the frame that asks everybody for the owner of an address."""
    head = (ETHERNET, ETH_P_IP, 6, 4, REQUEST)
    return FRAME.pack(EVERYBODY, mac, ETH_P_ARP, *head, mac, socket.inet_aton(own), bytes(6), socket.inet_aton(address))


def answerer(frame: bytes, address: str) -> str:
    """Return the MAC address of the machine that says in a frame that an address is his; "" in any other frame."""
    if len(frame) < FRAME.size:
        return ""
    fields = FRAME.unpack_from(frame)
    return fields[8].hex(":") if (fields[7], fields[9]) == (REPLY, socket.inet_aton(address)) else ""


def main(device: str, own: str, address: str) -> None:
    """Ask until the reader has gone."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    wire.bind((device, ETH_P_ARP))
    ask = question(wire.getsockname()[4], own, address)
    while True:
        wire.send(ask)
        owners, until = set(), time.monotonic() + PAUSE
        while (left := until - time.monotonic()) > 0:
            wire.settimeout(left)
            try:
                owners.add(answerer(wire.recv(256), address))
            except TimeoutError:
                break
        print(*sorted(owners - {""}), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except BrokenPipeError:
        sys.exit(0)
