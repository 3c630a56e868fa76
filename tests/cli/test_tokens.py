"""Tokens, service accounts and logging in from CI: the command against the real API."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from django.core.cache import caches
from django.utils import timezone

from accounts import issuers
from accounts.models import AccessToken, User
from accounts.services.tokens import token_create
from clusters.models import KubeconfigGrant
from tests.accounts.conftest import MARINA, give, person, world_make
from tests.accounts.oidc import Issuer
from tests.canaries import canary
from tests.cli.conftest import Run
from tests.clusters.making import host_row, ready_row

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db):
    caches["default"].clear()
    return world_make()


@pytest.fixture
def ada(world) -> User:
    ada = person("ada")
    give(ada, "admin", world.payments)
    give(ada, "viewer", world.search)
    return ada


@pytest.fixture
def login(live_server, run_without_login: Run):
    """Logs in as somebody."""

    def login(user: User) -> Run:
        made = token_create(actor=MARINA, user=user, name="login", expires_in=None, now=timezone.now())
        canary(made.text, f"a token of {user.handle}")
        result = run_without_login("login", live_server.url, "--token", made.text)
        assert result.exit_code == 0, result.output
        return run_without_login

    return login


def done(result) -> str:
    assert result.exit_code == 0, result.output + result.stderr
    return str(result.stdout)


def test_a_token_limited_to_a_project_and_actions_is_made_listed_and_revoked(ada, login):
    run = login(ada)
    limits = ("--action", "project.view", "--action", "virtualcluster.view", "--project", "acme/payments")
    result = run("token", "create", "deploys", *limits, "--for", "7d")
    text = done(result).strip()
    assert text.startswith("mar_")
    canary(text, "a token made by the command")
    assert "not shown again" in result.stderr
    listed = done(run("token", "list"))
    assert "project.view, virtualcluster.view" in listed
    assert "acme/payments" in listed
    assert text not in listed
    (row,) = [each for each in json.loads(done(run("token", "list", "-o", "json"))) if each["name"] == "deploys"]
    assert row["projects"] == [str(AccessToken.objects.get(name="deploys").projects[0])]
    assert run("token", "revoke", "deploys").exit_code == 0
    assert AccessToken.objects.get(name="deploys").revoked_at is not None
    assert run("token", "revoke", "deploys").exit_code == 4


def test_an_action_that_is_none_is_told_with_those_that_are(ada, login):
    result = login(ada)("token", "create", "x", "--action", "virtualcluster.destroy")
    assert result.exit_code != 0
    assert "virtualcluster.delete" in result.stderr


def test_staff_revoke_anybodys_token_by_its_prefix(world, ada, login):
    login(ada)
    prefix = AccessToken.objects.get(user=ada).prefix
    run = login(world.staff)
    assert run("token", "revoke", f"mar_{prefix}").exit_code == 0
    assert AccessToken.objects.get(user=ada).revoked_at is not None


def test_a_service_account_is_made_with_a_token_listed_and_deleted(ada, login):
    run = login(ada)
    assert "acme/payments/ci" in done(run("service-account", "create", "ci", "--project", "acme/payments"))
    account = ("--service-account", "acme/payments/ci")
    text = done(run("token", "create", "pipeline", *account)).strip()
    assert "pipeline" in done(run("token", "list", *account))
    assert "ci" in done(run("service-account", "list"))
    assert run("token", "revoke", "pipeline", *account).exit_code == 0
    done(run("token", "create", "second", *account))
    assert run("service-account", "delete", "acme/payments/ci", "--yes").exit_code == 0
    assert not AccessToken.objects.filter(user__is_service_account=True, revoked_at=None).exists()
    assert text not in done(run("service-account", "list", "-o", "json"))
    assert run("token", "list", *account).exit_code == 4


def test_who_has_a_kubeconfig_is_listed(world, ada, login):
    cluster = ready_row(world, host_row())
    ends = timezone.now() + timedelta(hours=1)
    for user, level in ((ada, "admin"), (person("gone"), "view")):
        KubeconfigGrant.objects.create(virtual_cluster=cluster, user=user, level=level, expires_at=ends)
    result = login(ada)("kubeconfigs", "hello", "--project", "acme/payments")
    told = done(result)
    assert "ada" in told
    assert "being ended" in told
    assert "at its expiry it ends in any case" in result.stderr


@pytest.fixture
def issuer(settings, monkeypatch):
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = True
    monkeypatch.setattr(issuers.issuer_keys, "_known", {})
    with Issuer() as running:
        yield running


@pytest.fixture
def trusted(ada, login, issuer) -> Run:
    """acme/payments/ci lets in jobs of acme/shop's main branch."""
    run: Run = login(ada)
    done(run("service-account", "create", "ci", "--project", "acme/payments"))
    given = ("--issuer", issuer.url, "--claim", "repository=acme/shop", "--claim", "ref=refs/heads/main")
    told = done(run("federation", "create", "main", "--service-account", "acme/payments/ci", *given))
    assert "acme/payments/ci lets in by main" in told
    assert issuer.url in done(run("federation", "list"))
    return run


def test_a_github_job_logs_in_without_a_secret_and_works(trusted, issuer, live_server, monkeypatch, home):
    asked: list[tuple[str, str]] = []

    class GitHub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            body = json.dumps({"value": issuer.token(issuer.github(aud=live_server.url))}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Not."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"http://127.0.0.1:{server.server_port}/token?api-version=2")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner")
    arguments = ("login", live_server.url, "--federated", "--service-account", "acme/payments/ci", "--context", "ci")
    result = trusted(*arguments)
    server.shutdown()
    server.server_close()
    assert result.exit_code == 0, result.stderr
    ((path, authorization),) = asked
    assert "api-version=2" in path
    assert "audience=http" in path
    assert authorization == "Bearer runner"
    assert "payments" in done(trusted("whoami"))
    stored = yaml.safe_load((home / ".config/marina/config.yaml").read_text())
    assert stored["current-context"] == "ci"
    assert trusted("logout").exit_code == 0
    assert not AccessToken.objects.filter(user__is_service_account=True, revoked_at=None).exists()


def test_a_gitlab_job_has_its_token_in_a_variable_and_others_in_a_file(
    trusted, issuer, live_server, monkeypatch, tmp_path: Path
):
    arguments = ("login", live_server.url, "--federated", "--service-account", "acme/payments/ci")
    monkeypatch.setenv("MARINA_ID_TOKEN", issuer.token(issuer.github(aud=live_server.url)))
    assert trusted(*arguments).exit_code == 0
    file = tmp_path / "token"
    other = issuer.token(issuer.github(aud=live_server.url, ref="refs/heads/other"))
    file.write_text(other)
    result = trusted(*arguments, "--token-file", str(file))
    assert result.exit_code == 1
    assert "main by ref" in result.stderr
    assert other not in result.stderr


def test_without_a_token_of_a_ci_system_it_says_where_one_comes_from(trusted, live_server):
    result = trusted("login", live_server.url, "--federated", "--service-account", "acme/payments/ci")
    assert result.exit_code == 2
    assert "id-token: write" in result.stderr
    assert trusted("login", live_server.url, "--federated").exit_code == 2


def test_a_rule_is_deleted_by_its_name(trusted):
    account = ("--service-account", "acme/payments/ci")
    assert trusted("federation", "delete", "main", *account).exit_code == 0
    assert trusted("federation", "delete", "main", *account).exit_code == 4
    assert trusted("federation", "create", "x", *account, "--issuer", "github", "--claim", "nonsense").exit_code == 2
