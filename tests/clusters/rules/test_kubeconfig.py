"""The allow-list for kubeconfigs: what it takes, and that each refusal names field, fault and what would do."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from accounts.errors import InvalidInput
from clusters.kubeconfig import kubeconfig_parse
from tests.clusters.rules.kubeconfigs import (
    CA_PEM,
    CLIENT_KEY_PEM,
    CLIENT_PEM,
    GOOD,
    base64_of,
    certificate_and_key,
    kubeconfig_with,
)

USER = "kubeconfig.users[admin].user"
CLUSTER = "kubeconfig.clusters[east].cluster"


def refusal_of(text: bytes | str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        kubeconfig_parse(text)
    assert all(error.field and error.message and error.accepted for error in caught.value.errors)
    return caught.value


def test_a_kubeconfig_with_a_token_becomes_a_connection() -> None:
    connection = kubeconfig_parse(kubeconfig_with())
    assert connection.server == "https://east.example:6443"
    assert connection.ca_pem == CA_PEM
    assert connection.token == "s3cr3t-token"
    assert connection.client_certificate_pem == connection.client_key_pem == ""


def test_a_kubeconfig_with_certificate_proxy_and_server_name_becomes_a_connection() -> None:
    connection = kubeconfig_parse(
        kubeconfig_with(
            cluster={"proxy-url": "http://me:pass@proxy.example:3128", "tls-server-name": "kubernetes.example"},
            user={
                "token": "",
                "client-certificate-data": base64_of(CLIENT_PEM),
                "client-key-data": base64_of(CLIENT_KEY_PEM),
            },
        )
    )
    assert (connection.client_certificate_pem, connection.client_key_pem) == (CLIENT_PEM, CLIENT_KEY_PEM)
    assert (connection.proxy_url, connection.tls_server_name) == (
        "http://me:pass@proxy.example:3128",
        "kubernetes.example",
    )
    assert connection.token == ""


def test_only_the_current_context_counts_so_an_exec_elsewhere_does_not_matter() -> None:
    document = yaml.safe_load(kubeconfig_with())
    document["users"].append({"name": "cloud", "user": {"exec": {"command": "cloud-login"}}})
    document["clusters"].append({"name": "other", "cluster": {"server": "http://insecure"}})
    assert kubeconfig_parse(yaml.safe_dump(document)).token == "s3cr3t-token"


def test_what_tools_add_without_harm_is_taken() -> None:
    text = kubeconfig_with(
        cluster={"extensions": [{"name": "x"}], "disable-compression": True, "insecure-skip-tls-verify": False},
        preferences={},
        extensions=[],
    )
    assert kubeconfig_parse("\ufeff" + text).server == "https://east.example:6443"


def test_text_around_a_certificate_is_dropped() -> None:
    noisy = base64_of("subject=somebody\n" + CA_PEM + "\nand more\n")
    assert kubeconfig_parse(kubeconfig_with(cluster={"certificate-authority-data": noisy})).ca_pem == CA_PEM


def test_a_token_of_digits_stays_the_text_it_is() -> None:
    text = kubeconfig_with().replace("s3cr3t-token", "0123456789")
    assert kubeconfig_parse(text).token == "0123456789"


@pytest.mark.parametrize(
    ("user", "field"),
    [
        ({"exec": {"command": "s3cr3t-program"}}, f"{USER}.exec"),
        ({"auth-provider": {"name": "s3cr3t-program"}}, f"{USER}.auth-provider"),
        ({"tokenFile": "/s3cr3t/token"}, f"{USER}.tokenFile"),
        ({"client-certificate": "/s3cr3t/c.pem"}, f"{USER}.client-certificate"),
        ({"client-key": "/s3cr3t/k.pem"}, f"{USER}.client-key"),
        ({"username": "s3cr3t-user"}, f"{USER}.username"),
        ({"password": "s3cr3t-word"}, f"{USER}.password"),
        ({"as": "s3cr3t-person"}, f"{USER}.as"),
        ({"as-uid": "s3cr3t-1"}, f"{USER}.as-uid"),
        ({"as-groups": ["s3cr3t-group"]}, f"{USER}.as-groups"),
        ({"as-user-extra": {"s3cr3t": ["x"]}}, f"{USER}.as-user-extra"),
        ({"tokn": "s3cr3t"}, f"{USER}.tokn"),
        ({"token": "s3cr3t with blanks"}, f"{USER}.token"),
        ({"token": "s3cr3t\r\nX-Header: 1"}, f"{USER}.token"),
        ({"token": ["s3cr3t"]}, f"{USER}.token"),
        ({"token": True}, f"{USER}.token"),
        ({"token": None}, USER),
        ({"client-key-data": "s3cr3t!"}, f"{USER}.client-key-data"),
        ({"client-certificate-data": base64_of("s3cr3t")}, f"{USER}.client-certificate-data"),
        ({"client-certificate-data": base64_of(CLIENT_PEM)}, f"{USER}.client-key-data"),
        ({"client-key-data": base64_of(CLIENT_KEY_PEM)}, f"{USER}.client-certificate-data"),
        (
            {
                "client-certificate-data": base64_of(CLIENT_PEM),
                "client-key-data": base64_of(certificate_and_key("somebody else")[1]),
            },
            f"{USER}.client-key-data",
        ),
    ],
)
def test_a_refused_credential_is_named_by_its_field_and_never_quoted(user: dict[str, Any], field: str) -> None:
    error = refusal_of(kubeconfig_with(user=user))
    assert error.field == field
    assert "s3cr3t" not in repr([error, error.hint, *error.errors])


@pytest.mark.parametrize(
    ("cluster", "field"),
    [
        ({"server": None}, f"{CLUSTER}.server"),
        ({"server": "http://east.example"}, f"{CLUSTER}.server"),
        ({"server": "east.example:6443"}, f"{CLUSTER}.server"),
        ({"server": "https://"}, f"{CLUSTER}.server"),
        ({"server": "https://[::1"}, f"{CLUSTER}.server"),
        ({"server": "https://east.example:99999"}, f"{CLUSTER}.server"),
        ({"server": "https://me:s3cr3t@east.example"}, f"{CLUSTER}.server"),
        ({"server": "https://east.example/?a=s3cr3t"}, f"{CLUSTER}.server"),
        ({"server": "https://east.example\n"}, f"{CLUSTER}.server"),
        ({"server": ["https://east.example"]}, f"{CLUSTER}.server"),
        ({"certificate-authority": "/etc/ca.pem"}, f"{CLUSTER}.certificate-authority"),
        ({"certificate-authority-data": "no base64!"}, f"{CLUSTER}.certificate-authority-data"),
        ({"certificate-authority-data": base64_of("no pem")}, f"{CLUSTER}.certificate-authority-data"),
        ({"certificate-authority-data": base64_of(CLIENT_KEY_PEM)}, f"{CLUSTER}.certificate-authority-data"),
        ({"insecure-skip-tls-verify": True}, f"{CLUSTER}.insecure-skip-tls-verify"),
        ({"insecure-skip-tls-verify": "true"}, f"{CLUSTER}.insecure-skip-tls-verify"),
        ({"proxy-url": "socks5://proxy.example"}, f"{CLUSTER}.proxy-url"),
        ({"proxy-url": "file:///etc/passwd"}, f"{CLUSTER}.proxy-url"),
        ({"proxy-url": "ftp://me:s3cr3t@proxy.example"}, f"{CLUSTER}.proxy-url"),
        ({"tls-server-name": "not a host"}, f"{CLUSTER}.tls-server-name"),
        ({"api-version": "v1"}, f"{CLUSTER}.api-version"),
    ],
)
def test_a_refused_part_of_the_cluster_is_named_by_its_field(cluster: dict[str, Any], field: str) -> None:
    error = refusal_of(kubeconfig_with(cluster=cluster))
    assert error.field == field
    assert "s3cr3t" not in repr([error, error.hint, *error.errors])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "kubeconfig"),
        ("just words", "kubeconfig"),
        ("- a\n- list", "kubeconfig"),
        ("{", "kubeconfig"),
        ("a: b: s3cr3t", "kubeconfig"),
        ('a: "\\UFFFFFFFF"', "kubeconfig"),
        ("a: \x00", "kubeconfig"),
        ("%YAML " + "9" * 5000 + ".0\n---\na: b", "kubeconfig"),
        (b"\xff\xfe\x00a", "kubeconfig"),
        ("a: '\ud800'", "kubeconfig"),
        (kubeconfig_with().encode("utf-16"), "kubeconfig"),
        (kubeconfig_with() + "---\n" + kubeconfig_with(), "kubeconfig"),
        (kubeconfig_with() + "kind: Config\n", "kubeconfig"),
        (kubeconfig_with(users=GOOD["users"], x={"a": 1}) + "? [a]\n: b\n", "kubeconfig"),
        ("a: &a [x]\nb: *a", "kubeconfig"),
        ("a: !!python/object/apply:os.system ['true']", "kubeconfig"),
        ("<<: {a: b}", "kubeconfig.kind"),
        ("[" * 10_000, "kubeconfig"),
        ("- " * 10_000, "kubeconfig"),
        ("[" + "a," * 60_000 + "]", "kubeconfig"),
        ("# " + "x" * 1024 * 1024, "kubeconfig"),
        (kubeconfig_with(kind="Secret"), "kubeconfig.kind"),
        (kubeconfig_with(kind=None), "kubeconfig.kind"),
        (kubeconfig_with(apiVersion="v2"), "kubeconfig.apiVersion"),
        (kubeconfig_with(user={"token": "x"}, usres=[]), "kubeconfig.usres"),
        (kubeconfig_with(current_context=None), "kubeconfig.current-context"),
        (kubeconfig_with(current_context=""), "kubeconfig.current-context"),
        (kubeconfig_with(current_context="unknown"), "kubeconfig.current-context"),
        (kubeconfig_with(contexts=[]), "kubeconfig.current-context"),
        (kubeconfig_with(contexts={}), "kubeconfig.contexts"),
        (kubeconfig_with(contexts=["main"]), "kubeconfig.contexts[0]"),
        (
            kubeconfig_with(contexts=[{"name": "main", "context": {"user": "x"}}]),
            "kubeconfig.contexts[main].context.cluster",
        ),
        (
            kubeconfig_with(contexts=[{"name": "main", "context": {"cluster": "x", "user": "admin"}}]),
            "kubeconfig.contexts[main].context.cluster",
        ),
        (
            kubeconfig_with(contexts=[{"name": "main", "context": {"cluster": "east", "user": "x"}}]),
            "kubeconfig.contexts[main].context.user",
        ),
        (
            kubeconfig_with(contexts=[{"name": "main", "context": {"cluster": "east", "user": "admin", "as": "x"}}]),
            "kubeconfig.contexts[main].context.as",
        ),
        (kubeconfig_with(clusters=GOOD["clusters"] * 2), "kubeconfig"),
        (kubeconfig_with(users=[{"name": "admin", "user": ["x"]}]), "kubeconfig.users[0].user"),
        (kubeconfig_with(users=[{"name": ["admin"], "user": {}}]), "kubeconfig.users[0].name"),
        (kubeconfig_with(users=[*GOOD["users"], {"nam": "x"}]), "kubeconfig.users[1].nam"),
    ],
)
def test_a_malformed_kubeconfig_is_refused_with_the_field(text: bytes | str, field: str) -> None:
    error = refusal_of(text)
    assert error.field == field
    assert "s3cr3t" not in repr([error, *error.errors])


def test_a_name_that_stands_twice_is_refused() -> None:
    entry = yaml.safe_dump(GOOD["users"][0])
    twice = "users:\n" + "".join("- " + entry.replace("\n", "\n  ").rstrip() + "\n" for _ in range(2))
    text = kubeconfig_with().replace(yaml.safe_dump({"users": GOOD["users"]}), twice)
    assert refusal_of(text).field in ("kubeconfig.users[admin]", "kubeconfig")


@pytest.mark.parametrize("key", ["exec", "auth-provider"])
def test_the_refusal_of_a_program_names_the_command_that_connects_such_a_host(key: str) -> None:
    error = refusal_of(kubeconfig_with(user={key: {"command": "x"}}))
    assert "marina host connect NAME --context main" in error.hint
    assert "marina host connect NAME --context main" in error.errors[0].accepted


def test_a_context_with_blanks_is_quoted_in_the_command() -> None:
    contexts = [{"name": "my $(host)", "context": {"cluster": "east", "user": "admin"}}]
    error = refusal_of(kubeconfig_with(user={"exec": {}}, contexts=contexts, current_context="my $(host)"))
    assert "marina host connect NAME --context 'my $(host)'" in error.hint


def test_every_refused_field_is_named_in_one_go() -> None:
    error = refusal_of(
        kubeconfig_with(
            cluster={"certificate-authority": "/ca", "insecure-skip-tls-verify": True}, user={"exec": {}, "as": "root"}
        )
    )
    assert [each.field for each in error.errors] == [
        f"{CLUSTER}.certificate-authority",
        f"{CLUSTER}.insecure-skip-tls-verify",
        f"{USER}.exec",
        f"{USER}.as",
    ]


def test_no_file_is_read_and_nothing_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    token = tmp_path / "token"
    token.write_text("file-content")
    user = {"tokenFile": str(token), "exec": {"command": "touch", "args": [str(trace)], "apiVersion": "v1"}}
    error = refusal_of(kubeconfig_with(user=user))
    assert not trace.exists()
    assert "file-content" not in repr(error.errors)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{a: " * 200_000,
        "? " * 500_000,
        "a: 'x\n" * 150_000,
        "- a\n" * 250_000,
        "\n" * 1_000_000,
        "#" * 1_000_000,
    ],
    ids=["lists", "mappings", "keys", "quotes", "entries", "lines", "comment"],
)
def test_a_megabyte_of_anything_is_refused_in_seconds(text: str) -> None:
    started = time.monotonic()
    refusal_of(text)
    assert time.monotonic() - started < 5
