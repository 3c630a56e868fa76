"""What Marina needs to speak to a host cluster, and nothing else of the kubeconfig it came from."""

import base64
import binascii
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import yaml
from cryptography import x509


@dataclass(frozen=True, kw_only=True, repr=False)
class HostConnection:
    """Address and credential of one host cluster. An empty text means that the part is absent.

    The values come from `clusters.kubeconfig.kubeconfig_parse`, which has checked them: certificates and keys are PEM,
    the key fits the certificate, and there is at least one credential.
    """

    server: str
    ca_pem: str = ""
    client_certificate_pem: str = ""
    client_key_pem: str = ""
    token: str = ""
    proxy_url: str = ""
    tls_server_name: str = ""

    def __repr__(self) -> str:
        # Everything that could be a secret stays out, the proxy's URL too (it may hold a password).
        return f"HostConnection(server={self.server!r}, credential={self.credential_kind!r})"

    @property
    def credential_kind(self) -> str:
        """`token`, `client certificate`, or both; for people."""
        kinds = [("token", self.token), ("client certificate", self.client_certificate_pem)]
        return " and ".join(kind for kind, value in kinds if value)

    def to_json(self) -> str:
        """For encryption at rest: holds the secrets in clear. `from_json` gives back an equal object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> "HostConnection":
        """The object that `to_json` wrote. Raises ValueError, without the content, for anything else."""
        try:
            return cls(**{str(key): str(value) for key, value in json.loads(text).items()})
        except (ValueError, TypeError, AttributeError):
            # Not chained: the cause quotes what it read, and that is a credential.
            raise ValueError("This is no stored host connection.") from None


def connection_expires_at(connection: HostConnection) -> datetime | None:
    """When the credential ends by its own word (UTC), the earlier of token and certificate; None if it names no end.

    The token is read without checking its signature, and that is fine: only the host's API server decides whether it
    is accepted. A false date would make Marina renew too early or warn too late, and it comes from whoever gave the
    credential, who can cut Marina off at any time anyway.
    """
    ends = [_token_expires_at(connection.token), _certificate_expires_at(connection.client_certificate_pem)]
    return min((end for end in ends if end is not None), default=None)


def kubeconfig_render(connection: HostConnection, *, context: str = "marina") -> str:
    """A kubeconfig with this one connection, for a child process; `kubeconfig_parse` reads it back unchanged."""
    cluster = {
        "server": connection.server,
        "certificate-authority-data": _base64(connection.ca_pem),
        "proxy-url": connection.proxy_url,
        "tls-server-name": connection.tls_server_name,
    }
    user = {
        "client-certificate-data": _base64(connection.client_certificate_pem),
        "client-key-data": _base64(connection.client_key_pem),
        "token": connection.token,
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": _present(cluster)}],
        "users": [{"name": context, "user": _present(user)}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    return yaml.safe_dump(document, sort_keys=False)


def _present(values: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _token_expires_at(token: str) -> datetime | None:
    """`exp` of a JWT (RFC 7519: seconds since 1970); None for every other kind of token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return _moment(claims.get("exp")) if isinstance(claims, dict) else None


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _certificate_expires_at(pem: str) -> datetime | None:
    """The earliest end in the chain: with any part of it out of date a server refuses the whole."""
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except (ValueError, x509.InvalidVersion):
        return None
    return min((certificate.not_valid_after_utc for certificate in certificates), default=None)
