"""Reading the head of a request, and refusing what two readers could understand in two ways.

What a client sends here is parsed by h11 and written anew for the API server, so nothing of it reaches that unseen.
What is refused all the same is what only somebody sends who hopes for a reader that is less careful.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import h11

LONGEST_HEAD: Final = 64 * 1024
"""Bytes. Tokens and label selectors are a few hundred, so this is far more than any client needs."""
_PREFIX: Final = re.compile(rb"^/v1/clusters/([0-9a-fA-F-]{36})(?=[/?]|$)")
_ID: Final = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BARE: Final = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")
_FOLDED: Final = re.compile(rb"\r\n[ \t]")
_LENGTHS: Final = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
_DOTS: Final = re.compile(rb"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_UNCLEAR: Final = re.compile(rb"%2f|%5c|%00|\\", re.IGNORECASE)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PROXIED: Final = re.compile(rb"^/api/v1/(?:namespaces/[^/]+/(?:pods|services)|nodes)/[^/]+/proxy(?=/|$)")
"""What follows it belongs to the pod or service, which may have slashes of its own kind in its paths."""
_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    )
)
"""Of one connection only (RFC 9110, 7.6.1)."""
_OURS: Final = frozenset((b"host", b"authorization", b"cookie", b"content-length", b"expect", b"forwarded"))
_KNOWN_METHODS: Final = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))


class BadRequest(Exception):
    """A head that is not taken. The connection ends with the answer: where the next one begins is not known."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Head:
    """A request's head. `headers` have lower-case names and are without those of the connection."""

    method: bytes
    path: bytes
    query: bytes
    host: str
    headers: tuple[tuple[bytes, bytes], ...]
    bearer: str
    upgrade: bytes
    has_body: bool
    length: int = 0
    """Bytes of the body where the head says it; 0 where it does not, or where there is none."""

    @property
    def target(self) -> bytes:
        """Path and query as they are sent on."""
        return self.path + (b"?" + self.query if self.query else b"")

    def header(self, name: bytes) -> bytes:
        """The first of this name, or nothing."""
        return next((value for key, value in self.headers if key == name), b"")


def head_read(raw: bytes, connection: h11.Connection) -> Head:
    """The head in these bytes, which end with its empty line. BadRequest for one that is not taken."""
    _strict(raw)
    connection.receive_data(raw)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise BadRequest(f"The request cannot be read: {error}.", status=error.error_status_hint) from None
    if not isinstance(event, h11.Request):
        raise BadRequest("The request cannot be read.")
    return _checked(event)


def _strict(raw: bytes) -> None:
    if _BARE.search(raw):
        raise BadRequest("The request's head has a line that does not end with CR LF.")
    if _FOLDED.search(raw):
        raise BadRequest("The request's head has a header that goes on in the next line, which is obsolete.")
    if len(_LENGTHS.findall(raw)) > 1:  # h11 takes two that are equal
        raise BadRequest("The request has the header content-length more than once.")


def _checked(event: h11.Request) -> Head:
    fields = [(bytes(name), bytes(value)) for name, value in event.headers]
    names = [name for name, _ in fields]
    if event.http_version != b"1.1":
        raise BadRequest("Only HTTP/1.1 is spoken here.", status=505)
    if event.method not in _KNOWN_METHODS:
        raise BadRequest("Kubernetes' API has no such method.", status=405)
    if b"transfer-encoding" in names and b"content-length" in names:
        raise BadRequest("The request gives two lengths of its body: Content-Length and Transfer-Encoding.")
    for single in (b"host", b"authorization", b"transfer-encoding"):
        if names.count(single) > 1:
            raise BadRequest(f"The request has the header {single.decode()} more than once.")
    if any(_CONTROL.search(value) for _, value in fields):
        raise BadRequest("The request has a header with a control character.")
    _framing_untouched(fields)
    path, _, query = bytes(event.target).partition(b"?")
    return Head(
        method=bytes(event.method),
        path=path,
        query=query,
        host=dict(fields).get(b"host", b"").decode("latin-1"),
        headers=tuple(field for field in fields if field[0] not in _OURS and field[0] not in _HOP),
        bearer=_bearer(dict(fields).get(b"authorization", b"")),
        upgrade=_upgrade(fields),
        has_body=b"transfer-encoding" in names or dict(fields).get(b"content-length", b"0") != b"0",
        length=int(dict(fields).get(b"content-length", b"0")),
    )


def _framing_untouched(fields: list[tuple[bytes, bytes]]) -> None:
    """`Connection: authorization` would have a less careful reader drop who it is that asks."""
    listed = {word.strip().lower() for name, value in fields if name == b"connection" for word in value.split(b",")}
    if strange := listed - {b"", b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"}:
        shown = sorted(strange)[0].decode("latin-1")[:60]
        raise BadRequest(f"The request's Connection header names {shown}, which is none of the connection's own.")


def _bearer(authorization: bytes) -> str:
    kind, _, text = authorization.partition(b" ")
    return text.strip().decode("latin-1") if kind.lower() == b"bearer" else ""


def _upgrade(fields: list[tuple[bytes, bytes]]) -> bytes:
    wanted = any(b"upgrade" in value.lower() for name, value in fields if name == b"connection")
    return next((value for name, value in fields if name == b"upgrade"), b"") if wanted else b""


def cluster_and_path(head: Head, *, cluster_of_host: UUID | None) -> tuple[UUID, bytes]:
    """Which cluster is meant, and the path inside it. BadRequest where there is none (404) or the path plays tricks."""
    if cluster_of_host is not None:
        cluster, path = cluster_of_host, head.path
    else:
        match = _PREFIX.match(head.path)
        cluster, path = _uuid(match), head.path[match.end() if match else 0 :] or b"/"
    if not path.startswith(b"/") or not path.isascii():
        raise BadRequest("The path cannot be read.")
    proxied = _PROXIED.match(path)
    ours = proxied[0] if proxied else path
    if _DOTS.search(path) or b"//" in ours:
        raise BadRequest("The path has a dot or empty segment; write it out.")
    if _UNCLEAR.search(ours):
        raise BadRequest("The path has an encoded slash, a backslash or a zero byte.")
    return cluster, path


def _uuid(match: re.Match[bytes] | None) -> UUID:
    if match is not None:
        try:
            return UUID(match[1].decode())
        except ValueError:
            pass
    raise BadRequest("There is nothing here. A virtual cluster's address is /v1/clusters/<its id>.", status=404)


def cluster_of_host(host: str, domain: str) -> UUID | None:
    """`<id>.clusters.<domain>`: which cluster this host name is of; None where it is of none."""
    name = host.partition(":")[0].lower()
    if not domain or not name.endswith(f".{domain.lower()}"):
        return None
    label = name.removesuffix(f".{domain.lower()}")
    return UUID(label) if _ID.fullmatch(label) else None
