"""Getting a kubeconfig: sealed on the way, private on the disk, merged without harm."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
import yaml
from marina_cli.text import Json
from nacl.public import PrivateKey, SealedBox

from tests.cli.api_server import KUBECONFIG, Answer, ApiServer, Request
from tests.cli.conftest import Run

OTHERS = """\
apiVersion: v1
kind: Config
preferences: {}
current-context: work
clusters:
- name: work
  cluster:
    server: https://work
    insecure-skip-tls-verify: true
    extensions:
    - name: minikube
      extension: {last-update: 2026-11-23T10:00:00Z, version: 1.30, octal: 0700}
users:
- name: work
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: ["--flag", "007", on]
contexts:
- name: work
  context: {cluster: work, user: work}
"""


@pytest.fixture
def hello(server: ApiServer) -> Json:
    return server.add_cluster("hello")


def sealed_to_somebody_else() -> str:
    return base64.b64encode(SealedBox(PrivateKey.generate().public_key).encrypt(b"x")).decode()


def test_the_kubeconfig_is_opened_here_and_travels_sealed(server: ApiServer, run: Run, hello: Json) -> None:
    result = run("kubeconfig", "hello", "--direct", "--level", "view", "--expires-in", "1h30m")
    assert result.exit_code == 0, result.output
    assert result.stdout == KUBECONFIG
    assert result.stderr == ""
    [asked] = server.asked("POST", "/virtual-clusters/")
    assert len(base64.b64decode(asked.body.pop("public_key"))) == 32
    assert asked.body == {"level": "view", "expires_in": 5400}


def test_every_run_has_a_key_of_its_own(server: ApiServer, run: Run, hello: Json) -> None:
    run("kubeconfig", "hello", "--direct")
    run("kubeconfig", "hello", "--direct")
    assert len({request.body["public_key"] for request in server.asked("POST", "/virtual-clusters/")}) == 2


def test_a_lost_sealed_answer_is_asked_for_anew_with_a_new_key(server: ApiServer, run: Run, hello: Json) -> None:
    lost: list[Request] = []

    def lose_the_first(request: Request) -> Answer | None:
        if request.path.endswith("/sealed-result") and not lost:
            lost.append(request)
            return Answer(lose=True)
        return None

    server.scripted.append(lose_the_first)
    result = run("kubeconfig", "hello", "--direct")
    assert result.exit_code == 0
    assert result.stdout == KUBECONFIG
    assert len({request.body["public_key"] for request in server.asked("POST", "/virtual-clusters/")}) == 2


def test_what_was_sealed_to_another_key_is_refused(server: ApiServer, run: Run, hello: Json) -> None:
    def swapped(request: Request) -> Answer | None:
        return Answer(200, {"sealed": sealed_to_somebody_else()}) if "sealed-result" in request.path else None

    server.scripted.append(swapped)
    result = run("kubeconfig", "hello", "--direct")
    assert result.exit_code == 1
    assert "not sealed for this command" in result.stderr


def test_a_file_is_readable_by_its_owner_only_even_where_it_was_not(run: Run, hello: Json, home: Path) -> None:
    path = home / "hello.yaml"
    path.write_text("old")
    path.chmod(0o644)
    result = run("kubeconfig", "hello", "--direct", "--output", str(path))
    assert result.stdout == ""
    assert "the-secret-token" not in result.stderr
    assert path.read_text() == KUBECONFIG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_address_keeps_the_name_on_the_certificate(run: Run, hello: Json) -> None:
    result = run("kubeconfig", "hello", "--direct", "--server", "https://127.0.0.1:7443")
    cluster = yaml.safe_load(result.stdout)["clusters"][0]["cluster"]
    assert cluster == {
        "server": "https://127.0.0.1:7443",
        "certificate-authority-data": "Q0E=",
        "tls-server-name": "hello",
    }
    assert run("kubeconfig", "hello", "--direct", "--server", "http://127.0.0.1").exit_code == 2


def test_merge_touches_nothing_else_in_the_file(run: Run, hello: Json, home: Path) -> None:
    path = home / ".kube/config"
    path.parent.mkdir()
    path.write_text(OTHERS)
    assert run("kubeconfig", "hello", "--direct", "--merge").exit_code == 0
    before, after = yaml.load(OTHERS, yaml.BaseLoader), yaml.load(path.read_text(), yaml.BaseLoader)
    for key in ("clusters", "users", "contexts"):
        assert after[key][0] == before[key][0]
        assert [item["name"] for item in after[key]] == ["work", "marina-hello"]
        after[key] = before[key]
    assert after == before
    assert 'args: ["--flag", "007", on]' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (home / ".kube/config.lock").exists()


def test_merge_again_replaces_what_it_put_there(run: Run, hello: Json, home: Path) -> None:
    run("kubeconfig", "hello", "--direct", "--merge")
    run("kubeconfig", "hello", "--direct", "--merge", "--server", "https://127.0.0.1:7443")
    merged = yaml.safe_load((home / ".kube/config").read_text())
    [cluster] = merged["clusters"]
    assert cluster["cluster"]["server"] == "https://127.0.0.1:7443"
    assert merged["contexts"] == [
        {
            "name": "marina-hello",
            "context": {"cluster": "marina-hello", "user": "marina-hello", "namespace": "default"},
        }
    ]
    assert merged["current-context"] == "marina-hello"


def test_merge_goes_where_kubectl_would_write(
    run: Run, hello: Json, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = home / "second"
    second.write_text('{"clusters": [], "users": null, "contexts": []}')
    monkeypatch.setenv("KUBECONFIG", f"{home / 'absent'}:{second}:{home / 'third'}")
    assert run("kubeconfig", "hello", "--direct", "--merge").exit_code == 0
    assert yaml.safe_load(second.read_text())["users"][0]["user"] == {"token": "the-secret-token"}
    assert not (home / "absent").exists()


def test_a_link_stays_a_link(run: Run, hello: Json, home: Path) -> None:
    real = home / "dotfiles"
    real.write_text(OTHERS)
    (home / ".kube").mkdir()
    (home / ".kube/config").symlink_to(real)
    assert run("kubeconfig", "hello", "--direct", "--merge").exit_code == 0
    assert (home / ".kube/config").is_symlink()
    assert "marina-hello" in real.read_text()


@pytest.mark.parametrize("broken", ["clusters: [", "- a list\n", "clusters: 3\n"])
def test_a_file_that_is_no_kubeconfig_is_left_as_it_is(run: Run, hello: Json, home: Path, broken: str) -> None:
    (home / ".kube").mkdir()
    path = home / ".kube/config"
    path.write_text(broken)
    result = run("kubeconfig", "hello", "--direct", "--merge")
    assert result.exit_code == 2
    assert "left as it is" in result.stderr or "left as it is" in result.output
    assert path.read_text() == broken


def test_a_file_that_kubectl_is_writing_is_not_written(run: Run, hello: Json, home: Path) -> None:
    (home / ".kube").mkdir()
    (home / ".kube/config.lock").touch()
    result = run("kubeconfig", "hello", "--direct", "--merge")
    assert result.exit_code == 2
    assert "config.lock" in result.stderr
    assert not (home / ".kube/config").exists()


def test_a_failed_issue_says_why(server: ApiServer, run: Run, hello: Json) -> None:
    server.outcome = "Failed"
    result = run("kubeconfig", "hello", "--direct")
    assert result.exit_code == 1
    assert "exceeded quota" in result.stderr
    assert result.stdout == ""


def test_a_missing_folder_is_refused_before_anything_is_asked(server: ApiServer, run: Run, home: Path) -> None:
    result = run("kubeconfig", "hello", "--direct", "--output", str(home / "absent" / "x"))
    assert result.exit_code == 2
    assert f"There is no folder {home / 'absent'}." in result.stderr
    assert not (home / "absent").exists()
    assert not server.requests


@pytest.mark.parametrize("broken", ["clusters: [", "users: 3\n"])
def test_no_token_is_issued_for_a_file_that_cannot_take_it(
    server: ApiServer, run: Run, hello: Json, home: Path, broken: str
) -> None:
    (home / ".kube").mkdir()
    (home / ".kube/config").write_text(broken)
    assert run("kubeconfig", "hello", "--direct", "--merge").exit_code == 2
    assert not server.requests


def test_without_a_published_address_no_token_is_issued(server: ApiServer, run: Run, hello: Json) -> None:
    hello["placement"]["endpoint"] = ""
    result = run("kubeconfig", "hello", "--direct")
    assert result.exit_code == 5
    assert "its exposure is None" in result.stderr
    assert "kubectl --context HOST -n marina-hello-1a2b port-forward pod/hello-0 8443" in result.stderr
    assert "--server URL" in result.stderr
    assert not server.asked("POST", "/")
    assert run("kubeconfig", "hello", "--direct", "--server", "https://127.0.0.1:8443").exit_code == 0
