"""What Marina says when a host misbehaves: always the same few codes, soon, and never a credential."""

import json
import socket
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from provisioning.drivers.errors import ConflictError, ForbiddenError, InvalidError, NotFound
from provisioning.drivers.kinds import POD, Json
from provisioning.drivers.kube import KubeClient
from provisioning.drivers.route import Timeouts, route_to
from provisioning.drivers.transport import connection_open
from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from tests.provisioning.drivers.fault_servers import (
    TOKEN,
    answering,
    certificate_pem,
    connection_to,
    serving,
    silent,
)

SOON = Timeouts(connect=0.5, read=0.5)


def failure_of(connection, *, call=KubeClient.version) -> StepError:
    with connection_open(connection, target="host harbor", timeouts=SOON) as api, pytest.raises(StepError) as raised:
        call(KubeClient(api))
    assert TOKEN not in str(raised.value)
    assert "harbor" in raised.value.message
    return raised.value


def answer(status: int, body: Json | bytes, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def status(code: int, message: str, reason: str = "", **details) -> Json:
    return {"kind": "Status", "status": "Failure", "code": code, "message": message, "reason": reason} | (
        {"details": details} if details else {}
    )


def test_a_host_that_refuses_connections_is_unreachable():
    with serving(silent) as port:
        pass
    error = failure_of(connection_to(port))
    assert (type(error), error.code) == (TemporaryError, "unreachable")
    assert error.message == "Host harbor cannot be reached: connection refused."


def test_a_name_that_nobody_knows_is_unreachable():
    connection = connection_to(1)
    error = failure_of(type(connection)(server="https://nowhere.invalid:6443", ca_pem=connection.ca_pem, token=TOKEN))
    assert error.code == "unreachable"


def test_a_host_that_accepts_and_stays_silent_times_out():
    started = time.monotonic()
    with serving(silent) as port:
        error = failure_of(connection_to(port))
    assert (type(error), error.code) == (TemporaryError, "timeout")
    assert time.monotonic() - started < 3


def test_a_host_that_is_silent_after_its_handshake_times_out(tmp_path: Path):
    with serving(answering(b"", folder=tmp_path)) as port:
        assert failure_of(connection_to(port)).code == "timeout"


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path):
    with serving(answering(answer(200, {}), folder=tmp_path)) as port:
        error = failure_of(connection_to(port, ca_pem=certificate_pem("127.0.0.2")[0]))
    assert (type(error), error.code) == (PermanentError, "certificate")


def test_a_certificate_for_another_name_is_refused_unless_the_connection_names_it(tmp_path: Path):
    other = "127.0.0.2"
    with serving(answering(answer(200, {"gitVersion": "v1"}), folder=tmp_path, name=other)) as port:
        connection = connection_to(port, ca_pem=certificate_pem(other)[0])
        assert failure_of(connection).code == "certificate"
        named = replace(connection, tls_server_name=other)
        with connection_open(named, target="host harbor", timeouts=SOON) as api:
            assert KubeClient(api).version() == {"gitVersion": "v1"}


@pytest.mark.parametrize(
    ("code", "body", "kind", "name"),
    [
        (401, status(401, "Unauthorized", "Unauthorized"), PermanentError, "unauthorized"),
        (403, status(403, "admission webhook denied it", "Forbidden"), ForbiddenError, "forbidden"),
        (404, status(404, 'pods "x" not found', "NotFound"), NotFound, "not-found"),
        (409, status(409, "the object has been modified", "Conflict"), ConflictError, "conflict"),
        (410, status(410, "too old resource version", "Expired"), ConflictError, "conflict"),
        (400, status(400, "bad", "BadRequest"), PermanentError, "invalid"),
        (422, status(422, 'Pod "x" is invalid: spec.foo: Required value', "Invalid"), InvalidError, "invalid"),
        (301, b"elsewhere", PermanentError, "invalid"),
        (500, status(500, "etcdserver: leader changed", "InternalError"), TemporaryError, "server-error"),
        (503, b"upstream connect error", TemporaryError, "server-error"),
        (504, status(504, "request timed out", "Timeout"), TemporaryError, "timeout"),
        (429, status(429, "too many requests", "TooManyRequests"), TemporaryError, "too-many-requests"),
    ],
)
def test_each_status_has_its_code_and_keeps_the_servers_own_words(tmp_path: Path, code, body, kind, name):
    with serving(answering(answer(code, body), folder=tmp_path)) as port:
        error = failure_of(connection_to(port))
    assert (type(error), error.code) == (kind, name)
    assert (body.decode() if isinstance(body, bytes) else body["message"]) in error.message


@pytest.mark.parametrize(
    ("headers", "details"), [(["Retry-After: 7"], {}), ([], {"retryAfterSeconds": 7})], ids=["header", "body"]
)
def test_the_time_a_server_asks_us_to_wait_is_kept(tmp_path: Path, headers, details):
    body = status(429, "later", "TooManyRequests", **details)
    with serving(answering(answer(429, body, *headers), folder=tmp_path)) as port:
        error = failure_of(connection_to(port))
    assert isinstance(error, TemporaryError)
    assert error.retry_after == 7


def test_a_missing_permission_is_named_by_verb_and_resource(tmp_path: Path):
    said = (
        'statefulsets.apps is forbidden: User "marina" cannot list resource "statefulsets" in API group "apps" '
        'in the namespace "team"'
    )
    with serving(answering(answer(403, status(403, said, "Forbidden")), folder=tmp_path)) as port:
        error = failure_of(connection_to(port))
    assert isinstance(error, ForbiddenError)
    assert (error.verb, error.resource, error.namespace) == ("list", "statefulsets.apps", "team")
    assert "list on statefulsets.apps in namespace team" in error.hint


def test_a_namespace_on_its_way_out_is_a_conflict_and_no_refusal(tmp_path: Path):
    said = 'secrets "x" is forbidden: unable to create new content in namespace y because it is being terminated'
    with serving(answering(answer(403, status(403, said, "Forbidden")), folder=tmp_path)) as port:
        assert isinstance(failure_of(connection_to(port)), ConflictError)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_body_that_is_cut_is_unreachable_and_no_answer(tmp_path: Path, reset):
    cut = answer(200, b'{"items": [' + b" " * 5000)[:-2000]
    with serving(answering(cut, folder=tmp_path, reset=True) if reset else _closing(cut, tmp_path)) as port:
        error = failure_of(connection_to(port), call=lambda kube: kube.list(POD))
    assert (type(error), error.code) == (TemporaryError, "unreachable")


def _closing(content: bytes, folder: Path):
    return answering(content.replace(b"Said\r\n", b"Said\r\nConnection: close\r\n"), folder=folder, reset=True)


def test_a_list_that_is_forgotten_half_way_is_read_again_in_one_piece(tmp_path: Path):
    asked: list[str] = []

    def pages(request: bytes) -> bytes:
        path = request.split(b" ", 2)[1].decode()
        asked.append(path)
        if "continue=" in path:
            return answer(410, status(410, "The provided continue parameter is too old", "Expired"))
        names = ["a"] if "limit=" in path else ["a", "b"]
        more = {"continue": "further"} if "limit=" in path else {}
        return answer(200, {"metadata": more, "items": [{"metadata": {"name": name}} for name in names]})

    with (
        serving(answering(pages, folder=tmp_path)) as port,
        connection_open(connection_to(port), target="host harbor", timeouts=SOON) as api,
    ):
        found = KubeClient(api).list(POD, limit=1)
    assert [pod["metadata"]["name"] for pod in found] == ["a", "b"]
    assert ["continue=" in path for path in asked] == [False, True, False]


@pytest.mark.parametrize("late", [False, True], ids=["in time", "too late"])
def test_an_answer_may_take_as_long_as_the_read_timeout(tmp_path: Path, late):
    never = threading.Event()

    def slowly(_: bytes) -> bytes:
        never.wait(1.0 if late else 0.2)
        return answer(200, {"gitVersion": "v1"})

    with serving(answering(slowly, folder=tmp_path)) as port:
        connection = connection_to(port)
        if late:
            assert failure_of(connection).code == "timeout"
            return
        with connection_open(connection, target="host harbor", timeouts=SOON) as api:
            assert KubeClient(api).version() == {"gitVersion": "v1"}


def test_a_connection_that_the_host_ended_between_two_calls_is_made_anew(tmp_path: Path):
    """As a load balancer does with idle ones."""
    ends_after_one = answering(answer(200, {"gitVersion": "v1"}), folder=tmp_path, once=True)
    ended = threading.Semaphore(0)

    def told(raw: socket.socket) -> None:
        ends_after_one(raw)
        ended.release()

    with serving(told) as port, connection_open(connection_to(port), target="host harbor", timeouts=SOON) as api:
        for _ in range(3):
            assert KubeClient(api).version() == {"gitVersion": "v1"}
            assert ended.acquire(timeout=5)


def test_an_answer_that_is_no_json_is_the_servers_fault(tmp_path: Path):
    with serving(answering(answer(200, b"<html>portal</html>"), folder=tmp_path)) as port:
        assert failure_of(connection_to(port)).code == "server-error"


def test_a_server_that_speaks_no_tls_is_unreachable():
    with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        error = failure_of(connection_to(port))
    assert error.code == "unreachable"


@pytest.mark.parametrize(
    ("alert", "kind", "code"),
    [
        (42, PermanentError, "unauthorized"),  # bad_certificate
        (48, PermanentError, "unauthorized"),  # unknown_ca
        (50, TemporaryError, "unreachable"),  # decode_error
        (80, TemporaryError, "unreachable"),  # internal_error
    ],
)
def test_only_an_alert_about_the_certificate_is_final(alert, kind, code):
    fatal = bytes([0x15, 3, 3, 0, 2, 2, alert])

    def refusing(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(fatal)

    with serving(refusing) as port:
        error = failure_of(connection_to(port))
    assert (type(error), error.code) == (kind, code), error.message


def test_connecting_changes_nothing_of_a_context_that_other_threads_connect_by(tmp_path: Path, monkeypatch):
    changed: list[list[str]] = []
    with serving(answering(answer(200, {"gitVersion": "v1"}), folder=tmp_path)) as port:
        route = route_to(connection_to(port), target="host harbor", timeouts=SOON)
        monkeypatch.setattr(ssl.SSLContext, "set_alpn_protocols", lambda self, names: changed.append(names))
        for _ in range(3):
            route.dial().close()
    assert changed == []
    route.ssl_context.set_alpn_protocols(["h2"])
    assert changed == [["h2"]], "another protocol is set"


def test_secrets_quoted_by_a_server_do_not_get_through(tmp_path: Path):
    jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYXJpbmEifQ.c2lnbmF0dXJl"
    said = f"bad token {jwt} and -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- and Bearer abc.def"
    with serving(answering(answer(401, status(401, said)), folder=tmp_path)) as port:
        message = failure_of(connection_to(port)).message
    assert "eyJ" not in message
    assert "MIIE" not in message
    assert "abc.def" not in message


@pytest.mark.parametrize("token", ["two\r\nlines", "white space", "a\x00b"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_quoted(token):
    with pytest.raises(PermanentError) as raised:
        connection_open(connection_to(1, token=token), target="host harbor")
    assert raised.value.code == "unauthorized"
    assert token not in str(raised.value)


def test_a_certificate_authority_that_is_none_is_refused():
    with pytest.raises(PermanentError) as raised:
        connection_open(connection_to(1, ca_pem="nonsense"), target="host harbor")
    assert raised.value.code == "certificate"
