"""Kubeconfigs to try the allow-list on, with certificates that are real though nobody trusts them."""

import base64
import copy
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

CERTIFICATE_END = datetime(2031, 5, 1, 12, tzinfo=UTC)


@cache
def certificate_and_key(name: str, *, end: datetime = CERTIFICATE_END) -> tuple[str, str]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(end - timedelta(days=365))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM).decode(), key_pem.decode()


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CA_PEM, CA_KEY_PEM = certificate_and_key("ca")
CLIENT_PEM, CLIENT_KEY_PEM = certificate_and_key("client")

GOOD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [
        {
            "name": "east",
            "cluster": {"server": "https://east.example:6443", "certificate-authority-data": base64_of(CA_PEM)},
        }
    ],
    "users": [{"name": "admin", "user": {"token": "s3cr3t-token"}}],
    "contexts": [{"name": "main", "context": {"cluster": "east", "user": "admin"}}],
    "current-context": "main",
}


def kubeconfig_with(*, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **top: Any) -> str:
    """GOOD as YAML, with `cluster` and `user` laid over the used entries and `top` over the top level."""
    document = copy.deepcopy(GOOD)
    document["clusters"][0]["cluster"].update(cluster or {})
    document["users"][0]["user"].update(user or {})
    document.update({key.replace("_", "-"): value for key, value in top.items()})
    return yaml.safe_dump(document, sort_keys=False)
