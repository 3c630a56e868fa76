"""A server whose certificate comes from a CA of its own."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.api_server import ApiServer
from tests.cli.conftest import TOKEN, Run


@pytest.fixture
def certificate(home: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA; its key is in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "marina")])
    now = datetime.datetime.now(datetime.UTC)
    until = now + datetime.timedelta(days=1)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, until)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = home / "ca.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def private_server(certificate: Path) -> Iterator[ApiServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ApiServer(tls=context) as running:
        yield running


def test_an_unknown_ca_is_refused_with_the_option_that_helps(private_server: ApiServer, run_without_login: Run) -> None:
    result = run_without_login("login", private_server.url, "--token", TOKEN)
    assert result.exit_code == 6
    assert "is not trusted" in result.stderr
    assert "--ca-file" in result.stderr
    assert not private_server.requests


def test_the_ca_file_given_at_login_is_used_from_then_on(
    private_server: ApiServer, run_without_login: Run, certificate: Path
) -> None:
    login = run_without_login("login", private_server.url, "--token", TOKEN, "--ca-file", str(certificate))
    assert login.exit_code == 0, login.output
    assert run_without_login("whoami").exit_code == 0


def test_ssl_cert_file_is_respected(
    private_server: ApiServer, run_without_login: Run, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert run_without_login("login", private_server.url, "--token", TOKEN).exit_code == 0


def test_a_ca_file_that_is_none_is_exit_code_2(private_server: ApiServer, run_without_login: Run, home: Path) -> None:
    (home / "empty.pem").touch()
    for name in ("absent.pem", "empty.pem"):
        result = run_without_login("login", private_server.url, "--token", TOKEN, "--ca-file", str(home / name))
        assert result.exit_code == 2, result.output
        assert name in result.stderr
