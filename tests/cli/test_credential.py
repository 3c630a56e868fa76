"""`marina credential`: what kubectl runs when it needs a token, many times and in silence."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import Result
from marina_cli.text import Json

from tests.cli.api_server import Answer, ApiServer, problem
from tests.cli.conftest import QuickClock, Run


@pytest.fixture
def hello(server: ApiServer) -> Json:
    return server.add_cluster("hello")


def token_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["status"]["token"])


def files(home: Path) -> list[Path]:
    return sorted((home / ".cache/marina/credentials").glob("*"))


def test_it_prints_what_kubectl_reads_and_nothing_else(run: Run, hello: Json) -> None:
    result = run("credential", "--cluster", hello["id"])
    assert json.loads(result.stdout) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        # 10:00:05 and ten minutes, less half a minute for the way
        "status": {"token": "mgt_admin-1", "expirationTimestamp": "2026-11-23T10:09:35Z"},
    }
    assert result.stderr == ""


def test_it_is_kept_privately_until_a_minute_before_its_end(
    server: ApiServer, run: Run, hello: Json, home: Path, clock: QuickClock
) -> None:
    assert [token_of(run("credential", "--cluster", hello["id"])) for _ in range(3)] == ["mgt_admin-1"] * 3
    assert server.credentials_given == 1
    (file,) = files(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "alice001" not in file.read_text() + file.name
    clock.slept.append(539)
    assert token_of(run("credential", "--cluster", hello["id"])) == "mgt_admin-1"
    clock.slept.append(2)
    assert token_of(run("credential", "--cluster", hello["id"])) == "mgt_admin-2"


def test_clusters_levels_and_logins_do_not_share_theirs(server: ApiServer, run: Run, hello: Json, home: Path) -> None:
    other = server.add_cluster("other")
    tokens = [
        token_of(run("credential", "--cluster", hello["id"])),
        token_of(run("credential", "--cluster", other["id"])),
        token_of(run("credential", "--cluster", hello["id"], "--level", "view")),
    ]
    server.tokens.add("mar_alice002_secret")
    assert run("login", server.url, "--token", "mar_alice002_secret").exit_code == 0
    tokens.append(token_of(run("credential", "--cluster", hello["id"])))
    assert tokens == ["mgt_admin-1", "mgt_admin-2", "mgt_view-3", "mgt_admin-4"]
    assert len(files(home)) == 4


def test_its_folder_can_be_another_one(
    run: Run, hello: Json, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARINA_CREDENTIAL_CACHE", str(tmp_path / "elsewhere"))
    token_of(run("credential", "--cluster", hello["id"]))
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1
    assert files(home) == []


def test_what_has_ended_is_removed(run: Run, hello: Json, home: Path, clock: QuickClock) -> None:
    run("credential", "--cluster", hello["id"], "--level", "view")
    clock.slept.append(700)
    run("credential", "--cluster", hello["id"])
    assert len(files(home)) == 1


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"token": "x"}', '{"token": "x", "ends": "soon"}', "\udc80"])
def test_a_spoilt_file_is_no_obstacle(run: Run, hello: Json, home: Path, spoilt: str) -> None:
    run("credential", "--cluster", hello["id"])
    files(home)[0].write_bytes(spoilt.encode(errors="surrogateescape"))
    assert token_of(run("credential", "--cluster", hello["id"])) == "mgt_admin-2"


def test_a_file_that_others_can_read_is_not_believed(run: Run, hello: Json, home: Path) -> None:
    run("credential", "--cluster", hello["id"])
    files(home)[0].chmod(0o644)
    assert token_of(run("credential", "--cluster", hello["id"])) == "mgt_admin-2"
    assert stat.S_IMODE(files(home)[0].stat().st_mode) == 0o600


def test_where_nothing_can_be_kept_it_works_all_the_same(run: Run, hello: Json, home: Path) -> None:
    (home / ".cache").write_text("no folder")
    assert [token_of(run("credential", "--cluster", hello["id"])) for _ in range(2)] == ["mgt_admin-1", "mgt_admin-2"]


def test_while_the_server_is_away_an_old_one_does_as_long_as_it_holds(
    server: ApiServer, run: Run, hello: Json, clock: QuickClock
) -> None:
    run("credential", "--cluster", hello["id"])
    server.lose_answer("POST", f"/virtual-clusters/{hello['id']}/gateway-credentials", times=8)
    clock.slept.append(545)
    assert token_of(run("credential", "--cluster", hello["id"])) == "mgt_admin-1"
    clock.slept.append(25)
    result = run("credential", "--cluster", hello["id"])
    assert result.exit_code == 6
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("told", "version"),
    [
        (None, "v1"),
        ('{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}', "v1"),
        ('{"apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {"interactive": true}}', "v1beta1"),
        ('{"apiVersion": "client.authentication.k8s.io/v9"}', "v1"),
        ("{}", "v1"),
        ("[1]", "v1"),
        ("nonsense", "v1"),
        ("", "v1"),
    ],
)
def test_what_kubectl_says_of_itself_is_read_leniently(
    run: Run, hello: Json, monkeypatch: pytest.MonkeyPatch, told: str | None, version: str
) -> None:
    if told is not None:
        monkeypatch.setenv("KUBERNETES_EXEC_INFO", told)
    result = run("credential", "--cluster", hello["id"])
    assert json.loads(result.stdout)["apiVersion"] == f"client.authentication.k8s.io/{version}"


@pytest.mark.parametrize(("status", "exit_code"), [(401, 3), (403, 1), (409, 5), (410, 1)])
def test_a_refusal_is_a_sentence_on_stderr_and_nothing_on_stdout(
    server: ApiServer, run: Run, hello: Json, status: int, exit_code: int
) -> None:
    said = problem(status, "It is not for you.", hint="Ask somebody.")
    server.scripted.append(lambda request: said if "gateway-credentials" in request.path else None)
    result = run("credential", "--cluster", hello["id"])
    assert result.exit_code == exit_code
    assert "It is not for you." in result.stderr
    assert "Ask somebody." in result.stderr or status == 401
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_cluster_that_is_not_seen_is_named_in_one_line(server: ApiServer, run: Run, hello: Json) -> None:
    said = problem(404, "There is no such object, or you have no role that shows it.")
    server.scripted.append(lambda request: said if "gateway-credentials" in request.path else None)
    result = run("credential", "--cluster", hello["id"])
    assert (result.exit_code, result.stdout) == (4, "")
    (line,) = result.stderr.splitlines()
    for text in (hello["id"], server.url, "marina list --all", "marina kubeconfig NAME"):
        assert text in line


def test_who_is_not_logged_in_is_told_so_and_asked_nothing(
    server: ApiServer, run_without_login: Run, hello: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARINA_SERVER", server.url)
    result = run_without_login("credential", "--cluster", hello["id"])
    assert result.exit_code == 3
    assert f"marina login {server.url}" in result.stderr
    assert result.stdout == ""


def test_what_is_no_id_is_refused_before_anything_is_asked(server: ApiServer, run: Run) -> None:
    for text in ("hello", "../../me", ""):
        assert run("credential", "--cluster", text).exit_code == 2
    assert run("credential").exit_code == 2
    assert not server.requests


def test_an_answer_that_is_none_is_said_to_be_none(server: ApiServer, run: Run, hello: Json) -> None:
    server.scripted.append(lambda request: Answer(201, {"hello": 1}) if request.method == "POST" else None)
    result = run("credential", "--cluster", hello["id"])
    assert result.exit_code == 1
    assert "no credential" in result.stderr


def test_a_token_of_the_environment_needs_no_login(
    server: ApiServer, run_without_login: Run, hello: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARINA_SERVER", server.url)
    monkeypatch.setenv("MARINA_TOKEN", "mar_alice001_secret")
    assert token_of(run_without_login("credential", "--cluster", hello["id"])) == "mgt_admin-1"
