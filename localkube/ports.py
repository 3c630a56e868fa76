"""Ports on loopback: choosing free ones, and saying which one is taken."""

import random
import socket

# Below Linux's range for outgoing connections (32768 and up), so that no connection takes a chosen port meanwhile.
_RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()  # bind alone succeeds beside a listener that set SO_REUSEADDR too
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether something listens on 127.0.0.1:port, asked without ever standing in its way."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_ports(count: int) -> list[int]:
    """`count` different ports that were free a moment ago."""
    chosen: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if is_free(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise OSError("no free port between 20000 and 32000 on 127.0.0.1")
