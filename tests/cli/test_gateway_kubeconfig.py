"""Kubeconfigs that go through the gateway: without a secret, fitted to this machine, or with a static token."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from marina_cli.text import Json

from tests.cli.api_server import ApiServer, problem
from tests.cli.conftest import Run

GATEWAY = "https://gateway.example.com"


@pytest.fixture
def hello(server: ApiServer) -> Json:
    return server.add_cluster("hello")


def read(text: str) -> tuple[str, Json]:
    """Its server, and what its user is."""
    document = yaml.safe_load(text)
    return document["clusters"][0]["cluster"]["server"], document["users"][0]["user"]


def test_by_default_it_holds_no_secret_and_runs_marina_for_this_server(
    server: ApiServer, run: Run, hello: Json
) -> None:
    result = run("kubeconfig", "hello")
    assert result.exit_code == 0, result.output
    address, user = read(result.stdout)
    assert address == f"{GATEWAY}/v1/clusters/{hello['id']}"
    assert user.keys() == {"exec"}
    assert user["exec"]["command"] == "marina"
    assert user["exec"]["args"] == ["credential", "--cluster", hello["id"]]
    assert user["exec"]["env"] == [{"name": "MARINA_SERVER", "value": server.url}]
    assert not server.asked("POST", "/")


def test_a_level_and_what_was_said_of_the_server_stay(server: ApiServer, run: Run, hello: Json) -> None:
    assert run("login", server.url, "--token", "mar_alice001_secret", "--context", "other").exit_code == 0
    result = run("--context", "other", "kubeconfig", "hello", "--level", "view")
    arguments = read(result.stdout)[1]["exec"]["args"]
    assert arguments == ["--context", "other", "credential", "--cluster", hello["id"], "--level", "view"]


@pytest.mark.parametrize(
    ("given", "there"),
    [
        ("https://127.0.0.1:8443", "https://127.0.0.1:8443/v1/clusters/{id}"),
        ("https://127.0.0.1:8443/", "https://127.0.0.1:8443/v1/clusters/{id}"),
        ("https://proxy.example/marina", "https://proxy.example/marina"),
        ("https://{id}.clusters.example:8443", "https://{id}.clusters.example:8443"),
        ("https://other.clusters.example", "https://other.clusters.example/v1/clusters/{id}"),
    ],
)
def test_another_address_of_the_gateway_keeps_the_cluster_s_path_unless_it_is_the_cluster_s_own(
    run: Run, hello: Json, given: str, there: str
) -> None:
    for kind in ((), ("--static",)):
        shown = run("kubeconfig", "hello", "--server", given.format(id=hello["id"]), *kind).stdout
        assert read(shown)[0] == there.format(id=hello["id"])
    assert run("kubeconfig", "hello", "--server", "http://127.0.0.1").exit_code == 2


def test_it_is_merged_or_written_as_any_other(run: Run, hello: Json, home: Path) -> None:
    result = run("kubeconfig", "hello", "--merge")
    assert "marina credential" in result.stderr
    merged = yaml.safe_load((home / ".kube/config").read_text())
    assert merged["users"][0]["user"]["exec"]["interactiveMode"] == "Never"
    assert merged["current-context"] == "marina-hello"
    assert run("kubeconfig", "hello", "--output", str(home / "x")).exit_code == 0
    assert stat.S_IMODE((home / "x").stat().st_mode) == 0o600


def test_a_static_one_holds_a_new_token_and_says_how_to_end_it(server: ApiServer, run: Run, hello: Json) -> None:
    result = run("kubeconfig", "hello", "--static", "--expires-in", "90d", "--level", "view", "--token-name", "lens")
    assert result.exit_code == 0, result.output
    (asked,) = server.asked("POST", "/virtual-clusters/")
    assert asked.body == {"level": "view", "expires_in": 90 * 86400, "name": "lens"}
    assert read(result.stdout)[1] == {"token": "mgs_prefix00_the-static-secret"}
    assert "the-static-secret" not in result.stderr


def test_a_static_one_of_a_service_account(server: ApiServer, run: Run, hello: Json) -> None:
    account = "0190a000-0000-7000-8000-000000000001"
    assert run("kubeconfig", "hello", "--static", "--service-account", account).exit_code in (0, 4)


def test_the_token_of_a_lost_answer_is_not_made_twice(server: ApiServer, run: Run, hello: Json) -> None:
    server.lose_answer("POST", f"/virtual-clusters/{hello['id']}/gateway-tokens", times=3)
    assert run("kubeconfig", "hello", "--static").exit_code == 6
    assert len(server.asked("POST", "/virtual-clusters/")) == 1


def test_what_does_not_go_together_is_refused_before_anything_is_asked(server: ApiServer, run: Run) -> None:
    for words in (
        ("--static", "--direct"),
        ("--expires-in", "1h"),
        ("--token-name", "x"),
        ("--direct", "--service-account", "ci"),
    ):
        result = run("kubeconfig", "hello", *words)
        assert result.exit_code == 2, words
    assert not server.requests


def test_without_a_gateway_the_server_s_words_are_told(server: ApiServer, run: Run, hello: Json) -> None:
    said = problem(409, "There is no gateway for hello.", hint="Take `marina kubeconfig hello --direct`.")
    server.scripted.append(lambda request: said if request.path.endswith("/kubeconfig") else None)
    result = run("kubeconfig", "hello")
    assert result.exit_code == 5
    assert "There is no gateway" in result.stderr
    assert "--direct" in result.stderr
    assert result.stdout == ""


def test_static_ones_are_listed_replaced_and_ended(server: ApiServer, run: Run, hello: Json, home: Path) -> None:
    run("kubeconfig", "hello", "--static", "--token-name", "lens")
    listed = run("static-kubeconfig", "list", "hello")
    assert "mgs_prefix00" in listed.stdout
    assert "lens" in listed.stdout
    server.requests.clear()
    rotated = run("static-kubeconfig", "rotate", "hello", "lens", "--overlap", "1h", "--output", str(home / "new"))
    assert rotated.exit_code == 0, rotated.output
    (asked,) = server.asked("POST", "/virtual-clusters/")
    assert asked.body == {"overlap": 3600}
    assert read((home / "new").read_text())[1] == {"token": "mgs_prefix01_the-static-secret"}
    assert "mgs_prefix01 takes the place of mgs_prefix00" in rotated.stderr
    assert run("static-kubeconfig", "revoke", "hello", "lens").exit_code == 2, "two of that name"
    assert run("static-kubeconfig", "revoke", "hello", "mgs_prefix01").exit_code == 0
    assert run("static-kubeconfig", "revoke", "hello", "mgs_prefix01").exit_code == 4


def test_whoami_shows_the_person_as_kubectl_does(run: Run) -> None:
    result = run("whoami")
    assert result.exit_code == 0
    assert "inside clusters" in result.stdout
    assert "marina:user:" in result.stdout
