"""What attackers send to the gateway, byte by byte: no access, no crash, and bounded memory."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest

from dev.processes import Processes
from dev.stack import Stack
from dev.waiting import wait_until
from tests.e2e.api import Api, Json
from tests.e2e.gate import Gate, Said, said

HALF_OPEN = 10_000
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def gate(stack: Stack) -> Gate:
    return Gate.of(stack)


@pytest.fixture
def memory(stack: Stack, processes: Processes) -> Iterator[psutil.Process]:
    """The gateway's process, which is the same one after the test."""
    process = psutil.Process(processes.pids["gateway"])
    yield process
    assert process.is_running()


def ask(gate: Gate, shared: Json, token: str, *lines: str, path: str = "/version", body: bytes = b"") -> Said:
    return gate.say(gate.head(shared, token, *lines, path=path) + body)


def test_an_honest_request_is_answered(gate: Gate, shared: Json, developer: Api) -> None:
    answer = ask(gate, shared, developer.token)
    assert answer.status == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 4", "Transfer-Encoding: chunked"], b"0\r\n\r\nGET /v1/clusters/x HTTP/1.1\r\n\r\n"),
        (["Transfer-Encoding: chunked", "Content-Length: 4"], b"0\r\n\r\n"),
        (["Content-Length: 4", "Content-Length: 0"], b"abcd"),
        (["X: a\r\n folded"], b""),
        (["X: a\nInjected: b"], b""),
        (["Connection: authorization"], b""),
    ],
)
def test_smuggling_gets_one_answer_and_the_end(
    gate: Gate, shared: Json, developer: Api, lines: list[str], body: bytes
) -> None:
    with gate.connect() as connection:
        connection.sendall(gate.head(shared, developer.token, *lines) + body)
        assert said(connection).status == 400
        assert connection.recv(1) == b""


def test_pipelined_requests_are_answered_in_order_each_by_its_own_token(
    gate: Gate, shared: Json, developer: Api
) -> None:
    good, bad = gate.head(shared, developer.token), gate.head(shared, "mar_aaaaaaaa_" + "x" * 40)
    with gate.connect() as connection:
        connection.sendall(good + bad + good)
        assert [said_next.status for said_next in _answers(connection, 3)] == [200, 401, 200]


def _answers(connection: ssl.SSLSocket, count: int) -> list[Said]:
    """That many answers, which may come in one piece."""
    data, found = b"", list[Said]()
    while len(found) < count:
        head, separator, rest = data.partition(b"\r\n\r\n")
        lines = dict(line.lower().split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:] if separator)
        length = int(lines.get("content-length", "0"))
        if separator and len(rest) >= length:
            found.append(Said(int(head.split(b" ")[1]), lines, rest[:length]))
            data = rest[length:]
        else:
            part = connection.recv(65536)
            assert part, "the connection ended before all was answered"
            data += part
    return found


@pytest.mark.parametrize(
    "path", ["/../{other}/api", "/api/%2e%2e/{other}/api", "/api//v1", "/api%2fv1/namespaces", "/.", "/api/v1\\x"]
)
def test_a_path_does_not_lead_out_of_its_cluster(gate: Gate, shared: Json, developer: Api, path: str) -> None:
    assert ask(gate, shared, developer.token, path=path.format(other=uuid4())).status == 400


@pytest.mark.parametrize("line", ["X-Remote-User: kubernetes-super-admin", "X-Remote-Group: system:masters"])
def test_nobody_says_who_they_are(gate: Gate, shared: Json, developer: Api, line: str) -> None:
    answer = ask(gate, shared, developer.token, line)
    assert answer.status == 403
    assert "only Marina does that" in answer.message


@pytest.mark.parametrize(
    "lines",
    [
        ["Impersonate-User: kubernetes-super-admin"],
        ["Impersonate-User: jane", "Impersonate-Group: system:masters"],
        ["Impersonate-Group: system:masters"],
        ["Impersonate-User:"],
        ["Impersonate-User:", "Impersonate-User: jane"],
    ],
)
def test_nobody_acts_as_who_stands_above_all_rules(gate: Gate, shared: Json, developer: Api, lines: list[str]) -> None:
    assert ask(gate, shared, developer.token, *lines).status in (400, 403)


def test_acting_as_somebody_takes_the_level_admin(gate: Gate, shared: Json, viewer: Api, developer: Api) -> None:
    answer = ask(gate, shared, viewer.token, "Impersonate-User: jane")
    assert answer.status == 403
    assert "takes level admin" in answer.message
    assert ask(gate, shared, developer.token, "Impersonate-User: jane", path="/api/v1/secrets").status == 403


def test_who_has_no_token_or_a_wrong_one_learns_nothing(gate: Gate, shared: Json, developer: Api) -> None:
    wrong = developer.token[:-4] + "AAAA"
    nowhere = {"id": str(uuid4())}
    assert ask(gate, shared, wrong).status == 401
    assert ask(gate, shared, "eyJhbGciOiJub25lIn0.e30.").status == 401
    assert gate.say(gate.head(shared, "").replace(b"Authorization: Bearer \r\n", b"")).status == 401
    assert ask(gate, nowhere, wrong).status == 401
    assert ask(gate, nowhere, developer.token).status == 404


def test_other_host_names_and_cookies_are_not_taken(gate: Gate, shared: Json, developer: Api) -> None:
    head = gate.head(shared, developer.token)
    host = urlsplit(gate.url).netloc.encode()
    assert gate.say(head.replace(b"Host: " + host, b"Host: evil.example")).status == 421
    assert "set-cookie" not in ask(gate, shared, developer.token, "Cookie: sessionid=x").headers


def test_10_000_half_open_connections_keep_nobody_out(
    gate: Gate, shared: Json, developer: Api, memory: psutil.Process, tell
) -> None:
    before = memory.memory_info().rss
    address = urlsplit(gate.url)
    with contextlib.ExitStack() as opened:
        for _ in range(HALF_OPEN):
            with contextlib.suppress(OSError):
                half = opened.enter_context(socket.create_connection((address.hostname, address.port), timeout=5))
                half.sendall(b"\x16\x03\x01")
        answer = ask(gate, shared, developer.token)
        grown = memory.memory_info().rss - before
    assert answer.status == 200
    assert grown < 160 * MEBIBYTE
    tell(f"gateway: {HALF_OPEN} half-open connections cost {grown / MEBIBYTE:.0f} MiB")


def test_a_client_that_reads_one_byte_a_second_fills_no_memory_and_holds_up_nobody(
    gate: Gate, shared: Json, shared_inside, developer: Api, memory: psutil.Process, tell, tmp_path: Path
) -> None:
    for number in range(20):
        file = tmp_path / f"{number}"
        file.write_text("x" * 900_000)
        shared_inside("create", "configmap", f"large-{number}", f"--from-file=data={file}")
    try:
        before = memory.memory_info().rss
        with contextlib.ExitStack() as opened:
            for _ in range(20):
                slow = opened.enter_context(gate.connect())
                slow.sendall(gate.head(shared, developer.token, path="/api/v1/namespaces/default/configmaps"))
                slow.recv(1)
            began = time.monotonic()
            assert ask(gate, shared, developer.token).status == 200
            quick = time.monotonic() - began
            grown = memory.memory_info().rss - before
        assert grown < 60 * MEBIBYTE, "20 answers of 18 MB each are on their way"
        cost = f"{grown / MEBIBYTE:.0f} MiB"
        tell(f"gateway: 20 slow readers of 18 MB each cost {cost}; another is answered in {quick:.2f} s")
    finally:
        shared_inside("delete", "configmaps", *(f"large-{number}" for number in range(20)))


def test_what_never_becomes_a_request_is_ended(gate: Gate, memory: psutil.Process) -> None:
    open_before = len(memory.net_connections())
    with gate.connect(seconds=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert said(connection).status == 408
    for nonsense in (b"\0" * 100 + b"\r\n\r\n", b"\r\n\r\n", b"GET\r\n\r\n", b"x" * 70_000):
        with gate.connect() as connection, contextlib.suppress(OSError):
            connection.sendall(nonsense)
            assert said(connection).status in (400, 431)
    wait_until(lambda: len(memory.net_connections()) <= open_before, seconds=30, what="connections stay open")
