"""The lab's NTP server: replies with the host's clock (RFC 5905, mode 4, stratum 1)."""

import socket
import struct
import threading
import time

SECONDS_1900_TO_1970 = 2208988800
HEADER = struct.Struct("!BBbbII4sQQQQ")
CLIENT, SERVER = 3, 4


def serve(address: str) -> None:
    """Reply to the NTP requests to ``address``, in a thread that lasts as long as the process."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, 123))
    threading.Thread(target=_serve, args=(listener,), name=f"ntp {address}", daemon=True).start()


def _serve(listener: socket.socket) -> None:
    while True:
        request, client = listener.recvfrom(512)
        received = _now()
        if len(request) >= HEADER.size and request[0] & 7 == CLIENT:
            listener.sendto(_reply(request, received), client)


def _reply(request: bytes, received: int) -> bytes:
    version = request[0] >> 3 & 7
    sent_by_client = HEADER.unpack_from(request)[10]
    return HEADER.pack(
        version << 3 | SERVER,
        1,
        request[2] if request[2] < 128 else 6,
        -20,
        0,
        1 << 4,
        b"LAB\0",
        received,
        sent_by_client,
        received,
        _now(),
    )


def _now() -> int:
    """Return the time in NTP's format: seconds since 1900 in the upper 32 bits, their fraction in the lower."""
    return int((time.time() + SECONDS_1900_TO_1970) * 2**32)
