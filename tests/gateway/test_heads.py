"""What is taken as a request's head, and what is refused because two readers could understand it in two ways."""

from uuid import UUID, uuid4

import h11
import pytest

from gateway.heads import BadRequest, Head, cluster_and_path, cluster_of_host, head_read

CLUSTER = UUID("01a216a0-f0bc-77be-99d7-a867c349c873")


def head(*lines: str, first: str = "GET /v1/clusters/x/api HTTP/1.1", raw: bytes | None = None) -> Head:
    text = raw or "\r\n".join([first, "Host: gate.example", *lines, "", ""]).encode("latin-1")
    return head_read(text, h11.Connection(h11.SERVER))


def refused(*lines: str, **kwargs) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        head(*lines, **kwargs)
    return caught.value


def path_of(path: str, **kwargs) -> bytes:
    return cluster_and_path(head(first=f"GET {path} HTTP/1.1"), cluster_of_host=None, **kwargs)[1]


def test_a_usual_head_is_read_and_what_is_of_the_connection_stays_here() -> None:
    found = head(
        "Authorization: Bearer mar_x",
        "Accept: application/json",
        "Connection: keep-alive",
        "Cookie: a=b",
        "TE: trailers",
    )
    assert (found.method, found.bearer, found.host) == (b"GET", "mar_x", "gate.example")
    assert found.headers == ((b"accept", b"application/json"),)
    assert not found.has_body


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5", "Content-Length: 5"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 6"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Transfer-Encoding: chunked, gzip"],
        ["Host: other.example"],
        ["Authorization: Bearer a", "Authorization: Bearer b"],
        ["Connection: authorization"],
        ["Connection: close, x-remote-user"],
        ["Content-Length : 5"],
        ["X: a\0b"],
    ],
)
def test_what_could_be_framed_or_read_in_two_ways_is_refused(lines: list[str]) -> None:
    assert refused(*lines).status in (400, 501)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/clusters/x HTTP/1.1\nHost: a\r\n\r\n",
        b"GET /v1/clusters/x HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /v1/clusters/x HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
        b"GET /v1/clusters/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET /a /b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_bare_line_ends_and_folded_headers_are_refused(raw: bytes) -> None:
    assert refused(raw=raw).status == 400


@pytest.mark.parametrize("value", ["a\x01b", "\x7f", "a\x1bb"])
def test_a_header_with_a_control_character_is_refused(value: str) -> None:
    # an API server breaks such a request off, which would look like a connection that broke
    assert refused(f"X-Note: {value}").status == 400


def test_other_versions_and_methods_are_told_so() -> None:
    assert refused(first="GET / HTTP/1.0").status == 505
    assert refused(first="TRACE /v1/clusters/x HTTP/1.1").status == 405
    assert refused(first="CONNECT a:443 HTTP/1.1").status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/../../v1/clusters/{other}/api",
        "/api/../../{other}/api",
        "/api/%2e%2e/{other}",
        "/api/%2E./x",
        "/api/v1/./pods",
        "/api//v1",
        "/api/v1%2fpods",
        "/api/v1%5cpods",
        "/api/v1\\pods",
        "/api/v1/pods%00",
        "/api/v1/namespaces/a%2fpods%2fother%2fproxy/pods/web/proxy/",
        "/api/v1/namespaces/a/services/web%2f../proxy/x",
        "/api/v1/nodes/a%5cb/proxy",
        "/api/v1/namespaces/proxy//pods",
    ],
)
def test_paths_that_play_tricks_are_refused(path: str) -> None:
    with pytest.raises(BadRequest):
        path_of(f"/v1/clusters/{CLUSTER}{path.format(other=uuid4())}")


@pytest.mark.parametrize("path", ["", "/", "/api/v1/pods", "/apis/apps/v1/namespaces/a/deployments/b"])
def test_the_path_inside_is_what_stands_behind_the_id(path: str) -> None:
    assert path_of(f"/v1/clusters/{CLUSTER}{path}") == (path or "/").encode()


def test_what_goes_through_a_services_proxy_may_have_encoded_slashes() -> None:
    inside = "/api/v1/namespaces/a/services/https:web:443/proxy/files/a%2Fb"
    assert path_of(f"/v1/clusters/{CLUSTER}{inside}") == inside.encode()


@pytest.mark.parametrize(
    "path", ["/", "/v1/clusters/", "/v1/clusters/not-an-id/api", "/v2/clusters/x", f"/v1/clusters/{CLUSTER}x"]
)
def test_where_there_is_no_cluster_there_is_nothing(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        path_of(path)
    assert caught.value.status == 404


def test_a_cluster_may_have_a_host_name_of_its_own() -> None:
    assert cluster_of_host(f"{CLUSTER}.clusters.example:8443", "clusters.example") == CLUSTER
    assert cluster_of_host(f"{CLUSTER}.evil.example", "clusters.example") is None
    assert cluster_of_host(f"x.{CLUSTER}.clusters.example", "clusters.example") is None
    assert cluster_of_host(f"{CLUSTER}", "") is None
    assert cluster_of_host(f"{CLUSTER.hex}.clusters.example", "clusters.example") is None, "one name, not several"
    assert isinstance(cluster_of_host(f"{str(CLUSTER).upper()}.CLUSTERS.example", "clusters.example"), UUID)
