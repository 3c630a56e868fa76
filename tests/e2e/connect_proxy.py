"""An HTTP proxy on this machine that takes CONNECT, and leads every name to it: as DNS of one's own would."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def everything_here() -> Iterator[str]:
    """Its address; whatever host is asked for, the port of this machine is meant."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def _accept(listening: socket.socket) -> None:
    with suppress(OSError):  # closed
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_serve, args=(client,), daemon=True).start()


def _serve(client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (part := client.recv(4096)):
            return
        head += part
    port = int(head.split(b" ")[1].rpartition(b":")[2])
    with suppress(OSError), client, socket.create_connection(("127.0.0.1", port)) as server:
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
