"""Whatever comes in: a connection or an InvalidInput, never another error, and never a secret in the error."""

import copy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.connection import HostConnection, connection_expires_at, kubeconfig_render
from clusters.kubeconfig import kubeconfig_parse
from clusters.kubeconfig_keys import CLUSTER_KEYS, FILE_KEYS, OTHER_REFUSALS, PROGRAM_KEYS, TOP_KEYS, USER_KEYS
from tests.clusters.rules.kubeconfigs import CA_PEM, CLIENT_KEY_PEM, CLIENT_PEM, GOOD, base64_of, kubeconfig_with

SECRET = "sEcReT-7f3a"

KEYS = sorted(
    {*TOP_KEYS, *CLUSTER_KEYS, *USER_KEYS, *FILE_KEYS, *PROGRAM_KEYS, *OTHER_REFUSALS, "name", "cluster", "user"}
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=20),
    st.sampled_from(
        [SECRET, "Config", "v1", "main", "east", "admin", "https://x", base64_of(CA_PEM), base64_of(SECRET)]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)


def outcome(text: bytes | str) -> HostConnection | InvalidInput:
    result: HostConnection | InvalidInput
    try:
        result = kubeconfig_parse(text)
    except InvalidInput as error:
        result = error
    fields = [each.field for each in result.errors] if isinstance(result, InvalidInput) else ["kubeconfig"]
    assert fields
    assert all(field.startswith("kubeconfig") for field in fields)
    return result


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_connection_or_refused(data: bytes) -> None:
    outcome(data)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(list("ab:-[]{}&*!|>%?,'\"#\n\t \\x0U@`~0")), max_size=200))
def test_any_odd_yaml_is_a_connection_or_refused(text: str) -> None:
    outcome(text)


@settings(deadline=None)
@given(st.integers(0, 2000), st.binary(max_size=6), st.integers(0, 6))
def test_a_good_kubeconfig_with_some_bytes_changed_is_a_connection_or_refused(at: int, new: bytes, drop: int) -> None:
    data = kubeconfig_with().encode()
    outcome(data[:at] + new + data[at + drop :])


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(TOP_KEYS), TREES, max_size=6))
def test_any_tree_at_the_top_is_a_connection_or_refused(top: dict[str, Any]) -> None:
    outcome(yaml.safe_dump({**GOOD, **top}, allow_unicode=True))


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4),
    st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4),
)
def test_no_value_of_cluster_or_user_shows_in_a_refusal(cluster: dict[str, Any], user: dict[str, Any]) -> None:
    document = copy.deepcopy(GOOD)
    document["clusters"][0]["cluster"].update(cluster)
    document["users"][0]["user"] = {"token": SECRET, "password": SECRET, **user}
    result = outcome(yaml.safe_dump(document))
    if isinstance(result, InvalidInput):
        assert SECRET not in repr([result, result.hint, *result.errors])
    assert SECRET not in repr(result)


host_names = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,6}){0,2}", fullmatch=True)
tokens = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)


paths = st.sampled_from(["", "/", "/k8s/c-1"])


@st.composite
def connections(draw: st.DrawFn) -> HostConnection:
    with_certificate = draw(st.booleans())
    return HostConnection(
        server=f"https://{draw(host_names)}:{draw(st.integers(1, 65535))}{draw(paths)}",
        ca_pem=draw(st.sampled_from(["", CA_PEM, CA_PEM + CLIENT_PEM])),
        client_certificate_pem=CLIENT_PEM if with_certificate else "",
        client_key_pem=CLIENT_KEY_PEM if with_certificate else "",
        token=draw(tokens if not with_certificate else st.just("") | tokens),
        proxy_url=draw(st.just("") | host_names.map(lambda name: f"http://{name}:3128")),
        tls_server_name=draw(st.just("") | host_names),
    )


@settings(deadline=None, max_examples=50)
@given(
    connections(),
    st.text(min_size=1, max_size=30, alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
)
def test_every_connection_that_is_rendered_is_read_back_unchanged(connection: HostConnection, context: str) -> None:
    assert kubeconfig_parse(kubeconfig_render(connection, context=context)) == connection
    assert HostConnection.from_json(connection.to_json()) == connection


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_any_credential_has_an_end_or_none(token: str, pem: str) -> None:
    connection_expires_at(HostConnection(server="https://x", token=token, client_certificate_pem=pem))
