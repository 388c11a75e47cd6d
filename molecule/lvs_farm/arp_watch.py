"""Log the senders of an address: every ARP packet on a device that has the address as its sender.

Usage: python3 arp_watch.py DEVICE ADDRESS FILE SUPERVISOR, in the lab's network (`python3 -m lab exec`).
Each line of FILE is the time (epoch) and the MAC address of the sender. A line "ready" comes first.
It ends when SUPERVISOR, the socket of the lab's supervisor, is gone: it would keep the lab's network alive otherwise.
"""

import os
import socket
import struct
import sys
import time

ETH_P_ARP, SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 0x0806, 263, 1, 1
SENDER_MAC, SENDER_IP = slice(22, 28), slice(28, 32)  # in the frame, behind 14 bytes of Ethernet


def main(device: str, address: str, file: str, supervisor: str) -> None:
    """Watch until the lab ends."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    wire.bind((device, ETH_P_ARP))
    # only in this mode a bridge passes the frames between others to its own device
    membership = struct.pack("iHH8s", socket.if_nametoindex(device), PACKET_MR_PROMISC, 0, b"")
    wire.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
    wire.settimeout(1.0)
    with open(file, "w", encoding="utf-8") as log:
        print("ready", file=log, flush=True)
        while os.path.exists(supervisor):
            try:
                frame = wire.recv(256)
            except TimeoutError:
                continue
            if frame[SENDER_IP] == socket.inet_aton(address):
                print(f"{time.time():.3f}", frame[SENDER_MAC].hex(":"), file=log, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
