"""Small servers that misbehave in one way each, on loopback."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clusters.connection import HostConnection

HERE = "127.0.0.1"
Behaviour = Callable[[socket.socket], None]
Answering = Callable[[bytes], bytes]
TOKEN = "the-token-nobody-may-see"


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """A port on which each connection is given to `behaviour`, in a thread of its own, and closed after it."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def begin(target: Callable[..., None], *args: object) -> None:
        threads.append(threading.Thread(target=target, args=args, daemon=True))
        threads[-1].start()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                opened.append(connection)
                begin(handle, connection)

    def handle(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            behaviour(connection)

    begin(accept)
    try:
        yield listener.getsockname()[1]
    finally:
        for left in (listener, *opened):
            with suppress(OSError):
                left.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in threads:
            thread.join(5)


def silent(connection: socket.socket) -> None:
    """Takes the connection and says nothing."""
    while connection.recv(4096):
        pass


def answering(
    answer: bytes | Answering, *, folder: Path, once: bool = False, reset: bool = False, name: str = HERE
) -> Behaviour:
    """TLS, then an answer for every request, the same bytes or what they are by the request.

    `once` ends the connection after the first, `reset` does so with a TCP reset in place of a goodbye.
    """
    certificate, key = certificate_pem(name)
    pem = folder / "server.pem"
    pem.write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def answer_all(raw: socket.socket) -> None:
        with context.wrap_socket(raw, server_side=True) as connection:
            while request := connection.recv(65536):
                connection.sendall(answer if isinstance(answer, bytes) else answer(request))
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if once or reset:
                    return

    return answer_all


def connection_to(port: int, *, ca_pem: str = "", token: str = TOKEN) -> HostConnection:
    return HostConnection(server=f"https://127.0.0.1:{port}", ca_pem=ca_pem or certificate_pem(HERE)[0], token=token)


@cache
def certificate_pem(address: str) -> tuple[str, str]:
    """A self-signed certificate for an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fault server")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return made.public_bytes(encoding).decode(), private.decode()
