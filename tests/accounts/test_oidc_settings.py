"""Issuers stand in the settings; what cannot work is told by name, and an ID token is believed only when signed."""

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.exceptions import ImproperlyConfigured

from accounts.handles import handle_from, handles_alike
from accounts.oidc.claims import ClaimsRefused, claims_read, id_token_verify
from accounts.oidc.issuers import OidcIssuer, issuer_of, issuers
from controlplane.checks import settings_check

SECOND = {"id": "second", "issuer": "https://two.example.org/", "client_id": "x"}
ISSUER = OidcIssuer(id="sso", issuer="https://one.example.org", client_id="marina", client_secret="the-secret")
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


def keys(**more):
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [{**jwk, "kid": "k", **more}]}


def token(key=KEY, algorithm="RS256", kid="k", **claims):
    now = int(time.time())
    body = {"iss": ISSUER.issuer, "sub": "7", "aud": "marina", "iat": now, "exp": now + 60, **claims}
    body = {name: value for name, value in body.items() if value is not None}
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


def test_the_first_issuer_has_settings_of_its_own_and_more_stand_in_a_list(settings):
    assert issuers() == ()
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "https://one.example.org/", "marina"
    settings.OIDC_MORE_ISSUERS = json.dumps([{**SECOND, "scopes": ["openid", "groups"], "trust_email": True}])
    first, second = issuers()
    assert (first.id, first.issuer, first.trust_email) == ("sso", "https://one.example.org", False)
    assert (second.issuer, second.scopes, second.trust_email) == ("https://two.example.org", ("openid", "groups"), True)
    assert issuer_of("second") == issuer_of("https://two.example.org") == second
    assert "the-secret" not in repr(ISSUER)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("{", "no JSON list"),
        ("{}", "no JSON list"),
        ([1], "needs `id`"),
        ([{"id": "x", "issuer": "https://x"}], "needs `id`"),
        ([{**SECOND, "secret": "x"}], "unknown members: secret"),
        ([{**SECOND, "issuer": "http://login.example.org"}], "no https address"),
        ([{**SECOND, "issuer": "ftp://x"}], "no https address"),
        ([{**SECOND, "id": "Not an id"}], "lower-case"),
        ([{**SECOND, "client_id": ""}], "no client id"),
        ([{**SECOND, "scopes": ["email"]}], "`openid` must be"),
        ([{**SECOND, "scopes": "openid"}], "no list of texts"),
        ([{**SECOND, "trust_email": "yes"}], "neither true nor false"),
        ([{**SECOND, "name": 1}], "is no text"),
        ([SECOND, SECOND], "the same id"),
        ([SECOND, {**SECOND, "id": "third"}], "the same issuer"),
    ],
)
def test_what_cannot_work_is_told_by_name(settings, more, said):
    settings.OIDC_MORE_ISSUERS = more if isinstance(more, str) else json.dumps(more)
    with pytest.raises(ImproperlyConfigured, match=said):
        issuers()
    assert "marina.E003" in [each.id for each in settings_check()]


def test_an_issuer_on_this_machine_may_be_without_tls(settings):
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID = "http://127.0.0.1:8080/realms/x", "marina"
    assert issuers()[0].issuer == "http://127.0.0.1:8080/realms/x"


def test_a_signed_token_is_believed():
    claims = id_token_verify(token(nonce="n"), issuer=ISSUER, keys=keys())
    assert claims["sub"] == "7"
    assert id_token_verify(token(aud=["marina", "b"], azp="marina"), issuer=ISSUER, keys=keys())
    assert id_token_verify(token(algorithm="PS256"), issuer=ISSUER, keys=keys())


@pytest.mark.parametrize(
    ("made", "offered"),
    [
        (lambda: token(key=OTHER), keys()),
        (lambda: token(iss="https://evil.example.org"), keys()),
        (lambda: token(aud="another"), keys()),
        (lambda: token(aud=["marina", "another"]), keys()),
        (lambda: token(aud=["marina", "another"], azp="another"), keys()),
        (lambda: token(exp=int(time.time()) - 120), keys()),
        (lambda: token(iat=int(time.time()) + 3600), keys()),
        (lambda: token(exp=None), keys()),
        (lambda: token(sub=None), keys()),
        (lambda: token(kid="unknown"), keys()),
        (lambda: token(key="the-secret" * 4, algorithm="HS256"), keys()),
        (lambda: token(key=None, algorithm="none"), keys()),
        (lambda: token(), keys(use="enc")),
        (lambda: token(), {"keys": keys()["keys"] * 2}),
        (lambda: token(), {"keys": "x"}),
        (lambda: token(), {}),
        (lambda: "not.a.token", keys()),
        (lambda: "", keys()),
    ],
)
def test_any_other_token_is_refused_without_quoting_it(made, offered):
    text = made()
    with pytest.raises(ClaimsRefused) as refused:
        id_token_verify(text, issuer=ISSUER, keys=offered)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        ({"groups": ["a", "b", 7, ""]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({}, "groups", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"realm_access": []}, "realm_access.roles", set()),
        ({"https://x.y/groups": ["a"]}, "https://x.y/groups", {"a"}),
    ],
)
def test_groups_are_read_where_the_settings_say(claims, claim, groups):
    issuer = OidcIssuer(id="sso", issuer="https://x", client_id="x", groups_claim=claim)
    assert claims_read({"sub": "7", **claims}, {}, issuer=issuer).groups == groups
    assert claims_read({"sub": "7"}, {"sub": "7", **claims}, issuer=issuer).groups == groups


def test_where_token_and_userinfo_differ_the_signed_one_counts():
    found = claims_read({"sub": "7", "email": "a@x"}, {"sub": "7", "email": "b@x", "name": "B\x00\n"}, issuer=ISSUER)
    assert (found.email, found.name) == ("a@x", "B")


def test_handles_keep_their_length_when_they_are_numbered():
    alike = handles_alike(handle_from("x" * 60))
    first, second = next(alike), next(alike)
    assert (len(first), len(second), second[-2:]) == (40, 40, "-2")
    assert handle_from("-", "@", "Ünï Cödé") == "uni-code"
