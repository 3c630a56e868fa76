"""Forged and damaged tokens open nothing, and which keys and words make a good one."""

import base64
import json
from datetime import timedelta
from uuid import uuid4

import jwt
import pytest
from django.utils import timezone

from accounts.errors import NotAuthenticated
from accounts.secret_names import secrets_removed
from accounts.tokens import TokenText
from clusters.gateway_tokens import LONGEST, SignedToken, StaticTokenText, _key
from clusters.models import GatewayToken
from clusters.services.gateway_access import caller_of
from tests.clusters.gateway_tokens import access_token, signed, static
from tests.clusters.making import cluster_row


@pytest.fixture
def cluster(world):
    return cluster_row(world)


def opens(text, cluster) -> bool:
    try:
        caller_of(presented=text, cluster_id=cluster.pk, now=timezone.now())
    except NotAuthenticated:
        return False
    return True


def claims_of(text: str) -> dict[str, object]:
    return dict(jwt.decode(text.removeprefix("mgt_"), options={"verify_signature": False}))


def written(claims, key, *, algorithm="HS256", headers=None) -> str:
    return "mgt_" + jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def part(of: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(of).encode()).decode().rstrip("=")


def test_only_what_this_marina_signed_is_believed(people, cluster, settings):
    good = signed(people.dan, cluster)
    assert opens(good, cluster)
    claims, key = claims_of(good), _key(settings.SECRET_KEY)
    assert opens(written(claims, key), cluster), "the test signs as Marina does"
    header, body, signature = good.removeprefix("mgt_").split(".")
    forged = {
        "without a signature": f"mgt_{header}.{body}.",
        "alg none": f"mgt_{part({'alg': 'none', 'typ': 'JWT'})}.{body}.",
        "alg None, signature kept": f"mgt_{part({'alg': 'None', 'typ': 'JWT'})}.{body}.{signature}",
        "encoded with none": written(claims, None, algorithm="none"),
        "SECRET_KEY itself": written(claims, settings.SECRET_KEY),
        "another key": written(claims, "k" * 32),
        "an empty key": f"mgt_{header}.{body}.{part({})}",
        "another algorithm": written(claims, key * 2, algorithm="HS512"),
        "another user": f"mgt_{header}.{part({**claims, 'sub': str(people.ada.pk)})}.{signature}",
        "another audience": written({**claims, "aud": "api"}, key),
        "another issuer": written({**claims, "iss": "x"}, key),
        "a key of its own": written(claims, "k" * 32, headers={"kid": "1", "jwk": {"kty": "oct", "k": "a2s"}}),
        "no word before it": good.removeprefix("mgt_"),
        "another word": good.replace("mgt_", "mgs_", 1),
        "twice": f"{good}{good}",
        "with a blank": f"{good} ",
        "with a line": f"{good}\n",
        "too long": good + "A" * LONGEST,
    }
    assert [name for name, text in forged.items() if opens(text, cluster)] == []


def test_a_token_that_says_nonsense_is_refused_though_it_is_signed(people, cluster, settings):
    changes: dict[str, list[object]] = {
        "sub": [None, "dan", 7],
        "cluster": ["hello", ["x"]],
        "level": ["king", None],
        "exp": ["tomorrow", 10**30, None],
        "token": [5, "x"],
    }
    good, key = claims_of(signed(people.dan, cluster)), _key(settings.SECRET_KEY)
    for name, values in changes.items():
        for value in values:
            assert not opens(written({**good, name: value}, key), cluster), (name, value)
    for name in ("sub", "cluster", "level", "iat", "exp", "jti", "iss", "aud"):
        assert not opens(written({key: value for key, value in good.items() if key != name}, key), cluster), name


NONSENSE = (
    *("", "x", "mgt_", "mgs_", "mar_", "mgt_a.b.c", "mgt_...", "mgs_abcdefgh_", "mgs_abcdefgh_short", "Bearer x", "\0"),
    *("mgt_\udc80", "mgt_ü.ü.ü", "mar_abcdefgh_" + "ü" * 30, "MGT_eyJ", "mgs_abcdefgh_" + "x" * 101, "a" * 100_000),
)


def test_nonsense_is_refused_without_a_query(cluster, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert [text for text in NONSENSE if opens(text, cluster)] == []


def test_a_static_token_opens_by_its_whole_text_only(people, cluster):
    row, text = static(people.dan, cluster)
    assert opens(text, cluster)
    assert text.rpartition("_")[2] not in str(vars(row))
    other = StaticTokenText.new()
    for wrong in (
        f"mgs_{row.prefix}_{other.secret}",
        f"mgs_{other.prefix}_{text.split('_', 2)[2]}",
        text[:-1],
        f"{text}x",
        text.upper(),
        f"mgs_{row.prefix}_{row.digest}",
    ):
        assert not opens(wrong, cluster), wrong


def test_no_kind_of_token_passes_for_another(people, cluster):
    access, (row, text) = access_token(people.dan), static(people.dan, cluster)
    assert not opens(access.text.replace("mar_", "mgs_", 1), cluster)
    assert not opens(text.replace("mgs_", "mar_", 1), cluster)
    # not even where prefix and secret are the same
    same = TokenText.parse(access.text)
    assert same
    GatewayToken.objects.filter(pk=row.pk).update(prefix=same.prefix, digest=same.digest)
    assert not opens(access.text.replace("mar_", "mgs_", 1), cluster)


def test_tokens_stay_good_while_secret_key_is_changed_and_not_afterwards(people, cluster, settings):
    texts = [signed(people.dan, cluster), static(people.dan, cluster)[1], access_token(people.dan).text]
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-secret-key-of-tests"
    settings.SECRET_KEY_FALLBACKS = [old]
    assert all(opens(text, cluster) for text in texts)
    settings.SECRET_KEY_FALLBACKS = []
    assert not any(opens(text, cluster) for text in texts)


def test_what_is_written_is_what_is_read():
    now = timezone.now().replace(microsecond=0)
    ids = {"user_id": uuid4(), "cluster_id": uuid4(), "access_token_id": uuid4()}
    token = SignedToken(id="abc", level="view", issued_at=now, expires_at=now + timedelta(minutes=10), **ids)
    assert SignedToken.read(token.written()) == token


def test_none_of_them_is_written_down(people, cluster):
    texts = [signed(people.dan, cluster), static(people.dan, cluster)[1], access_token(people.dan).text]
    told = str(secrets_removed({"note": f"they sent {' and '.join(texts)}"}))
    assert not any(text in told for text in texts)
    assert not any(text[-20:] in told for text in texts)
