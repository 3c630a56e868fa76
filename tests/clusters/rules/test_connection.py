"""A connection keeps its secrets to itself, knows its end, and survives being written and read."""

import base64
import json
from datetime import UTC, datetime

import pytest

from clusters.connection import HostConnection, connection_expires_at, kubeconfig_render
from clusters.kubeconfig import kubeconfig_parse
from tests.clusters.rules.kubeconfigs import (
    CA_PEM,
    CERTIFICATE_END,
    CLIENT_KEY_PEM,
    CLIENT_PEM,
    certificate_and_key,
)

FULL = HostConnection(
    server="https://east.example:6443",
    ca_pem=CA_PEM,
    client_certificate_pem=CLIENT_PEM,
    client_key_pem=CLIENT_KEY_PEM,
    token="s3cr3t",
    proxy_url="http://me:s3cr3t@proxy.example:3128",
    tls_server_name="kubernetes.example",
)


def token_with(claims: object) -> str:
    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{encoded({'alg': 'RS256'})}.{encoded(claims)}.c2ln"


def test_repr_shows_where_and_how_but_no_secret() -> None:
    assert repr(FULL) == (
        "HostConnection(server='https://east.example:6443', credential='token and client certificate')"
    )
    assert "s3cr3t" not in f"{FULL!r} {FULL}"


def test_json_gives_back_an_equal_connection() -> None:
    assert HostConnection.from_json(FULL.to_json()) == FULL


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"server": "https://x", "s3cr3t": "s3cr3t"}', "{", '{"token": "s3cr3t"}']
)
def test_reading_something_else_fails_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match="no stored host connection") as caught:
        HostConnection.from_json(text)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_rendered_connection_is_read_back_unchanged() -> None:
    assert kubeconfig_parse(kubeconfig_render(FULL)) == FULL
    assert kubeconfig_parse(kubeconfig_render(FULL, context="odd: [name]")) == FULL


def test_the_end_is_the_earlier_one_of_token_and_certificate() -> None:
    early, late = datetime(2030, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
    for token_end, expected in ((early, early), (late, CERTIFICATE_END)):
        token = token_with({"exp": int(token_end.timestamp())})
        connection = HostConnection(server="https://x", token=token, client_certificate_pem=CLIENT_PEM)
        assert connection_expires_at(connection) == expected


def test_a_chain_ends_with_its_first_certificate_to_end() -> None:
    end = datetime(2029, 1, 1, tzinfo=UTC)
    chain = CLIENT_PEM + certificate_and_key("intermediate", end=end)[0]
    assert connection_expires_at(HostConnection(server="https://x", client_certificate_pem=chain)) == end


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        "....",
        token_with([]),
        token_with({}),
        token_with({"exp": "soon"}),
        token_with({"exp": True}),
    ]
    + [token_with({"exp": exp}) for exp in (1e308, 10**400, float("nan"), float("inf"), -(10**18))],
)
def test_a_credential_that_names_no_end_has_none(token: str) -> None:
    assert connection_expires_at(HostConnection(server="https://x", token=token)) is None
