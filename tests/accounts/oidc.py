"""An OIDC issuer: a small HTTP server that serves discovery and keys, and signs tokens as CI systems do."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.canaries import canary

Claims = dict[str, Any]


class Issuer:
    """Runs until it is closed. `answers` may be replaced to misbehave; `asked` has the paths of all requests."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[], tuple[int, dict[str, str], bytes]]] = {}
        self.keys: dict[str, Any] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                answer = issuer.answers.get(self.path) or issuer.usual.get(self.path)
                status, headers, body = answer() if answer else (404, {}, b"")
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Not."""

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        self._server = Server((host, port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_port}"
        self.usual = {
            "/.well-known/openid-configuration": lambda: _json({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}),
            "/keys": lambda: _json({"keys": [self._told(kid) for kid in self.keys]}),
        }
        self.rotate("first")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Nobody answers there any more."""
        self._server.shutdown()
        self._server.server_close()

    def rotate(self, kid: str, *, curve: bool = False) -> None:
        """From now on it signs with this key, and knows no other."""
        key = ec.generate_private_key(ec.SECP256R1()) if curve else _rsa(kid)
        self.keys = {kid: key}

    def token(self, claims: Claims, *, headers: Claims | None = None, key: Any = None, algorithm: str = "") -> str:
        """Signed with the newest key, unless another is given."""
        kid, newest = list(self.keys.items())[-1]
        algorithm = algorithm or ("ES256" if isinstance(newest, ec.EllipticCurvePrivateKey) else "RS256")
        made = jwt.encode(claims, key if key is not None else newest, algorithm, {"kid": kid, **(headers or {})})
        return canary(made, "a token of another issuer")

    @property
    def public_pem(self) -> bytes:
        """As anybody can have it."""
        newest = list(self.keys.values())[-1]
        return bytes(newest.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def _told(self, kid: str) -> Claims:
        key = self.keys[kid]
        curve = isinstance(key, ec.EllipticCurvePrivateKey)
        algorithm: Any = jwt.algorithms.ECAlgorithm if curve else jwt.algorithms.RSAAlgorithm
        told: Claims = json.loads(algorithm.to_jwk(key.public_key()))
        return {**told, "kid": kid, "use": "sig", "alg": "ES256" if curve else "RS256"}

    def github(self, **different: Any) -> Claims:
        """What GitHub Actions says of a push to main of acme/shop."""
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": "https://marina.example",
            "sub": "repo:acme/shop:ref:refs/heads/main",
            "jti": f"github-{time.monotonic_ns()}",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "repository": "acme/shop",
            "repository_owner": "acme",
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "workflow": "deploy",
            "run_id": "4711",
            **different,
        }

    def gitlab(self, **different: Any) -> Claims:
        """What GitLab says of a pipeline of main of acme/shop."""
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": "https://marina.example",
            "sub": "project_path:acme/shop:ref_type:branch:ref:main",
            "jti": f"gitlab-{time.monotonic_ns()}",
            "iat": now,
            "nbf": now - 5,
            "exp": now + 3600,
            "project_path": "acme/shop",
            "namespace_path": "acme",
            "ref": "main",
            "ref_type": "branch",
            "ref_protected": "true",
            "pipeline_source": "push",
            **different,
        }


_made: dict[str, rsa.RSAPrivateKey] = {}


def _rsa(kid: str) -> rsa.RSAPrivateKey:
    """Making one takes a while, so each name has one a run."""
    if kid not in _made:
        _made[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return _made[kid]


def _json(document: Any) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()
