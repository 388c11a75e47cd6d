"""A degraded cable: a relay between a network card and its segment that loses and delays frames in each direction.

The usual tool, the netem queueing discipline, is a module that many hosts' kernels lack.
"""

import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import NamedTuple

from lab import network

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 0x0003
LARGEST_FRAME = 65536 + 64  # segmentation is left to the receiver, so frames can be larger than the MTU


class Quality(NamedTuple):
    """One direction of a cable: ``loss`` from 0 to 1, ``delay`` in seconds."""

    loss: float = 0.0
    delay: float = 0.0


class Relay:
    """Carries frames between the tap of a card and a second tap in the segment until it is closed."""

    def __init__(self, tap: str, bridge: str, to_guest: Quality, from_guest: Quality) -> None:
        self._tap, self._bridge, self._plug = tap, bridge, f"x{tap}"[:15]
        self._quality = {"to_guest": to_guest, "from_guest": from_guest}
        self._wake_read, self._wake_write = os.pipe()
        network.detach(tap)
        self._guest = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._guest.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self._guest.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._guest.bind((tap, 0))
        self._segment = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        fcntl.ioctl(self._segment, TUNSETIFF, struct.pack("16sH22x", self._plug.encode(), flags))
        network.create_tap(self._plug)
        network.attach(self._plug, bridge)
        self._thread = threading.Thread(target=self._carry, name=f"relay {tap}", daemon=True)
        self._thread.start()

    @property
    def plug(self) -> str:
        """Return the device that connects the card to the segment's bridge."""
        return self._plug

    def close(self) -> None:
        """Stop, and plug the card directly into its segment again. Waiting frames are lost."""
        os.close(self._wake_write)
        self._thread.join()
        self._guest.close()
        os.close(self._segment)  # the tap belongs to this file descriptor and is removed with it
        os.close(self._wake_read)
        network.attach(self._tap, self._bridge)

    def _carry(self) -> None:
        waiting: list[tuple[float, int, str, bytes]] = []
        order = itertools.count()
        guest, segment = self._guest.fileno(), self._segment
        while True:
            pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([guest, segment, self._wake_read], [], [], pause)
            if self._wake_read in ready:
                return
            for source, direction in ((guest, "from_guest"), (segment, "to_guest")):
                if source in ready:
                    frame = os.read(source, LARGEST_FRAME)
                    quality = self._quality[direction]
                    if random.random() >= quality.loss:
                        due = time.monotonic() + quality.delay
                        heapq.heappush(waiting, (due, next(order), direction, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, direction, frame = heapq.heappop(waiting)
                with suppress(OSError):  # a full queue or a closed card drops the frame, as a cable does
                    os.write(segment if direction == "from_guest" else guest, frame)
