"""The single values of a connection: addresses, certificates, keys and tokens, each checked before it is used.

Each function takes what stood in the file and gives the checked text, "" for an absent one. They raise InvalidInput
for the field they were given and never repeat the value.
"""

import base64
import binascii
import re
from urllib.parse import SplitResult, urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from accounts.errors import InvalidInput

HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
ADDRESS = re.compile(r"[\x21-\x7e]{1,2048}")
TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")  # it becomes part of an HTTP header: no blank, no line end

PROXY_SCHEMES = ("http", "https")  # what both the Kubernetes client and helm speak without further libraries

CRYPTOGRAPHY_ERRORS = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


def server_check(value: object, *, field: str) -> str:
    """The API server's address: https, with a host, perhaps a port and a path."""
    accepted = "an address like https://host.example:6443"
    url = _address(value, field=field, accepted=accepted)
    if url is None:
        return ""
    if url.scheme != "https":
        raise InvalidInput("The server's address does not begin with https://.", field=field, accepted=accepted)
    if url.username is not None or url.query or url.fragment:
        message = "The server's address holds a user, a query or a fragment."
        raise InvalidInput(message, field=field, accepted=accepted)
    return str(value)


def proxy_check(value: object, *, field: str) -> str:
    """The address of a proxy. It may hold a user and a password, so it counts as a secret."""
    accepted = "an address like http://proxy.example:3128 or https://proxy.example:3129"
    url = _address(value, field=field, accepted=accepted)
    if url is not None and url.scheme not in PROXY_SCHEMES:
        raise InvalidInput(
            "The proxy's address has a scheme that Marina does not speak.", field=field, accepted=accepted
        )
    return str(value or "")


def server_name_check(value: object, *, field: str) -> str:
    """The name that the server's certificate must bear where it is not the host of the address."""
    if value is None:
        return ""
    if not isinstance(value, str) or not HOST_NAME.fullmatch(value):
        raise InvalidInput("This is no host name.", field=field, accepted="a host name like kubernetes.example")
    return value


def token_check(value: object, *, field: str) -> str:
    """A bearer token: visible ASCII characters without a blank."""
    if value is None:
        return ""
    if not isinstance(value, str) or not TOKEN.fullmatch(value):
        accepted = "the token in one piece, of visible ASCII characters"
        raise InvalidInput("The token holds blanks or other characters no token has.", field=field, accepted=accepted)
    return value


def certificates_read(value: object, *, field: str) -> str:
    """The certificates as PEM, and nothing but them: whatever else stood beside them is dropped."""
    pem = _base64_read(value, field=field)
    if not pem:
        return ""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
        return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)
    except CRYPTOGRAPHY_ERRORS:
        message = "What the base64 holds is no certificate in PEM."
        raise InvalidInput(message, field=field, accepted="base64 of -----BEGIN CERTIFICATE-----") from None


def key_read(value: object, *, field: str) -> str:
    """The private key as unencrypted PKCS #8 PEM."""
    pem = _base64_read(value, field=field)
    if not pem:
        return ""
    try:
        key = load_pem_private_key(pem, password=None)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    except CRYPTOGRAPHY_ERRORS:
        message = "What the base64 holds is no private key in PEM, or one with a passphrase."
        accepted = "base64 of a private key in PEM without a passphrase"
        raise InvalidInput(message, field=field, accepted=accepted) from None


def key_check(certificate_pem: str, key_pem: str, *, field: str) -> None:
    """The key must be the one that the (first) certificate was made for."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        key: PrivateKeyTypes = load_pem_private_key(key_pem.encode(), password=None)
        fits = _public(certificate.public_key()) == _public(key.public_key())
    except CRYPTOGRAPHY_ERRORS:
        fits = False
    if not fits:
        message = "The client key does not fit the client certificate."
        raise InvalidInput(message, field=field, accepted="the key that `client-certificate-data` was made for")


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _base64_read(value: object, *, field: str) -> bytes:
    if value is None:
        return b""
    try:
        if not isinstance(value, str):
            raise TypeError
        # YAML may have folded the lines of a long value into blanks.
        return base64.b64decode("".join(value.split()), validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise InvalidInput("This is no base64.", field=field, accepted="PEM in base64") from None


def _address(value: object, *, field: str, accepted: str) -> SplitResult | None:
    """The parts of an address; None for an absent one."""
    if value is None:
        return None
    try:
        if not isinstance(value, str) or not ADDRESS.fullmatch(value):
            raise ValueError
        url = urlsplit(value)
        port = url.port  # raises ValueError for what is no port
        if port == 0 or not url.hostname or not (":" in url.hostname or HOST_NAME.fullmatch(url.hostname)):
            raise ValueError
    except ValueError:
        raise InvalidInput("This is no address.", field=field, accepted=accepted) from None
    return url
