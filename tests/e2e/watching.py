"""A watch through the gateway, on a connection of one's own: to see when it ends."""

import json
import ssl
import time
from contextlib import suppress

from tests.e2e.api import Json
from tests.e2e.gate import Gate

WATCH = "/api/v1/namespaces/default/configmaps?watch=1"


class Watch:
    """Open from its making: the answer's head has come. Events are read only by `until_ended` and `until_seen`."""

    def __init__(self, gate: Gate, cluster: Json, token: str, *, path: str = WATCH, seconds: float = 30) -> None:
        self._connection: ssl.SSLSocket = gate.connect(seconds=seconds)
        self._connection.sendall(gate.head(cluster, token, path=path))
        self._data = b""
        while b"\r\n\r\n" not in self._data:
            part = self._connection.recv(65536)
            assert part, "the connection ended before the answer"
            self._data += part
        self.status = int(self._data.split(b" ")[1])
        assert self.status == 200, self._data

    def until_ended(self, *, seconds: float) -> float:
        """How many seconds from now it lasts; fails where it is still open after `seconds`."""
        began = time.monotonic()
        try:
            while time.monotonic() - began < seconds:
                self._connection.settimeout(max(0.01, seconds - (time.monotonic() - began)))
                if not self._connection.recv(65536):
                    return time.monotonic() - began
        except TimeoutError:
            pass
        except OSError:
            return time.monotonic() - began
        raise AssertionError(f"the watch is still open after {seconds:.0f} s")

    def until_seen(self, name: str, *, seconds: float = 30) -> None:
        """Returns when an event tells of an object of this name."""
        wanted, deadline = json.dumps(name).encode(), time.monotonic() + seconds
        while wanted not in self._data:
            self._connection.settimeout(max(0.01, deadline - time.monotonic()))
            part = self._connection.recv(65536)
            assert part, f"the watch ended before it told of {name}"
            self._data += part

    def close(self) -> None:
        with suppress(OSError):
            self._connection.close()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
