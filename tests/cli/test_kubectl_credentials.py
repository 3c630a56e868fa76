"""The real kubectl with kubeconfigs of the gateway: it runs `marina credential`, and the server says who gets in.

What stands for the gateway here answers /version only, to whom `caller_of` lets in.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
from django.core.cache import caches
from django.db import connection
from django.utils import timezone

from accounts.errors import MarinaError
from accounts.models import RoleBinding, User
from accounts.services.role_bindings import role_binding_delete
from accounts.services.tokens import token_create
from clusters.models import GatewayToken, VirtualCluster
from clusters.services.gateway_access import caller_of
from localkube import Tools
from tests.accounts.conftest import MARINA, give, person, world_make
from tests.canaries import canary
from tests.cli.conftest import Run
from tests.cli.test_private_ca import certificate
from tests.clusters.making import host_row, ready_row
from tests.commands import Answer

__all__ = ["certificate"]
pytestmark = pytest.mark.django_db(transaction=True)
VERSION = {"major": "1", "minor": "36", "gitVersion": "v1.36.3", "platform": "linux/amd64"}


class Gateway(ThreadingHTTPServer):
    """Remembers the tokens that it was shown."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.shown: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.shown.append(token)
        _, _, _, cluster, path = self.path.split("/", 4)
        try:
            caller_of(presented=token, cluster_id=UUID(cluster), now=timezone.now())
        except MarinaError as error:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": str(error)}
            self._answer(error.status, {**status, "code": error.status})
        else:
            self._answer(200, VERSION if path.startswith("version") else {})
        finally:
            connection.close()

    def _answer(self, status: int, body: Mapping[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def gateway(certificate: Path, home: Path, settings) -> Iterator[Gateway]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    found = Gateway(context)
    begin = "-----BEGIN CERTIFICATE"
    (home / "only-ca.pem").write_text(begin + certificate.read_text().partition(begin)[2])
    settings.GATEWAY_URL = f"https://127.0.0.1:{found.server_address[1]}"
    settings.GATEWAY_CA_FILE = str(home / "only-ca.pem")
    threading.Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def hello(transactional_db) -> VirtualCluster:
    caches["default"].clear()
    world = world_make()
    give(person("dan"), "developer", world.payments)
    return ready_row(world, host_row())


@pytest.fixture
def run(live_server, run_without_login: Run, hello: VirtualCluster) -> Run:
    """The command as dan, logged in."""
    dan = User.objects.get(handle="dan")
    made = token_create(actor=MARINA, user=dan, name="login", expires_in=None, now=timezone.now())
    canary(made.text, "a token of dan")
    assert run_without_login("login", live_server.url, "--token", made.text).exit_code == 0
    return run_without_login


@pytest.fixture
def kubectl(tools: Tools, home: Path) -> Callable[..., Answer]:
    """kubectl as a process; `marina` is found unless told otherwise."""

    def run(file: str, *arguments: str, marina: bool = True) -> Answer:
        folders = [str(Path(sys.executable).parent)] if marina else []
        words = [str(tools.kubectl), "--kubeconfig", str(home / file), *arguments]
        environment = {"HOME": str(home), "PATH": os.pathsep.join([*folders, "/usr/bin", "/bin"])}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
        )
        return Answer(" ".join(words), done.returncode, done.stdout, done.stderr)

    return run


def written(run: Run, home: Path, file: str, *options: str) -> None:
    result = run("kubeconfig", "hello", "--project", "acme/payments", "--output", str(home / file), *options)
    assert result.exit_code == 0, result.output + result.stderr


def test_kubectl_gets_in_by_a_kubeconfig_without_a_secret_as_long_as_the_role_holds(
    gateway: Gateway, run: Run, kubectl, home: Path, hello: VirtualCluster
) -> None:
    written(run, home, "k")
    for _ in range(2):
        answer = kubectl("k", "version", "-o", "json")
        assert answer.json["serverVersion"]["gitVersion"] == "v1.36.3", answer
    (token,) = {canary(token, "a gateway token") for token in gateway.shown}
    assert token.startswith("mgt_"), "one was got, and kept for the second"
    assert token not in (home / "k").read_text()
    role_binding_delete(
        actor=MARINA, binding=RoleBinding.objects.get(project=hello.project, user__handle="dan"), now=timezone.now()
    )
    answer = kubectl("k", "version", "-o", "json")
    assert answer.exit_code == 1
    assert "Traceback" not in answer.stderr


def test_a_static_kubeconfig_needs_no_marina_and_ends_when_it_is_revoked(
    gateway: Gateway, run: Run, kubectl, home: Path
) -> None:
    written(run, home, "s", "--static")
    answer = kubectl("s", "version", "-o", "json", marina=False)
    assert answer.json["serverVersion"]["gitVersion"] == "v1.36.3", answer
    (token,) = {canary(token, "a static token") for token in gateway.shown}
    assert token.startswith("mgs_")
    prefix = GatewayToken.objects.get().prefix
    ended = run("static-kubeconfig", "revoke", "hello", prefix, "--project", "acme/payments")
    assert ended.exit_code == 0, ended.stderr
    assert kubectl("s", "version", marina=False).exit_code == 1


def test_what_is_missing_is_said_where_kubectl_says_what_went_wrong(
    gateway: Gateway, run: Run, kubectl, home: Path
) -> None:
    written(run, home, "k")
    assert "Install it" in kubectl("k", "version", marina=False).stderr
    assert run("logout").exit_code == 0
    answer = kubectl("k", "version")
    assert "You are not logged in" in answer.stderr
    assert "marina login" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not gateway.shown
