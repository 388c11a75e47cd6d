"""ssh's ProxyCommand: get a connection inside the lab's network from the supervisor, pass it to ssh and end.

Usage: ssh_proxy.py SUPERVISOR_SOCKET ADDRESS PORT, with ``ProxyUseFdpass yes``.
"""

import array
import json
import socket
import sys


def open_connection(supervisor: str, address: str, port: int, timeout: float = 30.0) -> socket.socket:
    """Return a TCP connection to ``address`` inside the lab; raise ConnectionError with the supervisor's message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(supervisor)
        request = {"do": "connect", "address": address, "port": port, "timeout": timeout}
        connection.sendall(json.dumps(request).encode() + b"\n")
        text, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_LEN(4))
        if not ancillary:
            reply = json.loads(text) if text else {}
            raise ConnectionError(reply.get("error", "the lab has ended"))
        descriptor = array.array("i")
        descriptor.frombytes(ancillary[0][2])
        return socket.socket(fileno=descriptor[0])


def main() -> None:
    """Pass the connection to ssh through standard output, which is a socket then."""
    try:
        connection = open_connection(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    except OSError as error:
        sys.exit(f"lab: {error}")
    with connection, socket.socket(fileno=1) as ssh:
        ssh.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))])


if __name__ == "__main__":
    main()
