"""CI gets in with its own issuer's tokens: those that a rule fits, once, for a short while, and no others."""

import base64
import json
import logging
import threading
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.core.cache import caches
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import issuers
from accounts.api.dry_run import PLACEHOLDER
from accounts.issuer_fetch import FetchFailed, document_fetch
from accounts.models import AccessToken, AuditEvent, FederationRule, ServiceAccount, SpentAssertion, User
from accounts.services.federation import claim_fits, spent_assertions_forget
from accounts.services.federation_rules import federation_rule_create, federation_rule_delete, federation_rule_update
from accounts.services.service_accounts import service_account_create, service_account_delete
from accounts.services.users import user_deactivate
from tests.accounts.conftest import MARINA, WatchedClient, give, person, signed_in
from tests.accounts.oidc import Issuer

URL = "/api/v1/federated-tokens"
AUDIENCE = "https://marina.example"
GITHUB = {"repository": "acme/shop", "ref": "refs/heads/main"}
GITLAB = {"project_path": "acme/*", "ref": ["main", "release-*"], "ref_protected": "true"}


@pytest.fixture(autouse=True)
def _issuers_anew(settings, monkeypatch):
    """Issuers of this machine are allowed, and what was known of issuers before is forgotten."""
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = True
    monkeypatch.setattr(issuers.issuer_keys, "_known", {})
    caches["default"].clear()


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


@pytest.fixture
def account(world) -> ServiceAccount:
    return service_account_create(actor=MARINA, project=world.payments, name="ci", now=timezone.now())


@pytest.fixture
def rule(account, issuer) -> FederationRule:
    return rule_of(account, issuer)


def rule_of(account, issuer, name="main", claims=None, **fields) -> FederationRule:
    given = {"issuer": issuer.url, "audience": AUDIENCE, "claims": claims or GITHUB, **fields}
    return federation_rule_create(actor=MARINA, account=account, name=name, **given)


def exchange(token: str, service_account: str = "acme/payments/ci", **headers):
    client = WatchedClient(raise_request_exception=False)
    return client.post(URL, {"token": token, "service_account": service_account}, "json", **headers)


def refusal(answer, status: int = 403, code: str = "federation-refused") -> str:
    """What it says, after it was seen that nothing was given."""
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert body["code"] == code
    assert not AccessToken.objects.exists()
    return f"{body['detail']} {body['hint']}"


def test_a_job_of_the_right_repository_and_branch_gets_a_short_token_of_the_service_account(world, rule, issuer):
    answer = exchange(issuer.token(issuer.github()))
    assert answer.status_code == 201, answer.content
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["projects"] == [str(world.payments.pk)]
    ends = datetime.fromisoformat(body["expires_at"]) - timezone.now()
    assert timedelta(seconds=300) < ends <= timedelta(seconds=361)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['token']}")
    me = client.get("/api/v1/me").json()
    assert me["handle"].startswith("sa-ci-")
    assert [each["name"] for each in me["projects"]] == ["payments"]
    assert client.post("/api/v1/access-tokens", {"name": "more"}, "json").status_code == 403
    row = AuditEvent.objects.get(action="token.federate")
    assert row.details | {"expires_at": ""} == {
        "service_account": "acme/payments/ci",
        "rule": "main",
        "issuer": issuer.url,
        "subject": "repo:acme/shop:ref:refs/heads/main",
        "prefix": body["prefix"],
        "projects": [str(world.payments.pk)],
        "expires_at": "",
    }
    assert (row.token_prefix, row.organization_id, row.actor) == (body["prefix"], world.acme.pk, me["handle"])


def test_a_gitlab_pipeline_gets_in_by_patterns_and_lists_for_an_hour_at_most(account, issuer):
    rule_of(account, issuer, claims=GITLAB)
    issuer.rotate("curve", curve=True)
    answer = exchange(issuer.token(issuer.gitlab(exp=int(timezone.now().timestamp()) + 7200)), str(account.pk))
    assert answer.status_code == 201, answer.content
    ends = datetime.fromisoformat(answer.json()["expires_at"]) - timezone.now()
    assert timedelta(minutes=59) < ends <= timedelta(hours=1)
    assert exchange(issuer.token(issuer.gitlab(ref="release-2"))).status_code == 201


@pytest.mark.parametrize(
    ("different", "claim"),
    [
        ({"aud": "https://other.example"}, "aud"),
        ({"aud": ["https://other.example"]}, "aud"),
        ({"aud": "https://marina.example/"}, "aud"),
        ({"repository": "acme/shop-2"}, "repository"),
        ({"repository": "mallory/shop"}, "repository"),
        ({"repository": None}, "repository"),
        ({"repository": {"a": 1}}, "repository"),
        ({"ref": "refs/heads/feature"}, "ref"),
        ({"ref": "refs/heads/main\n"}, "ref"),
        ({"ref": True}, "ref"),
    ],
)
def test_a_claim_that_does_not_fit_is_named_and_nothing_of_the_token_is_told(rule, issuer, different, claim):
    text = issuer.token(issuer.github(**different))
    told = refusal(exchange(text))
    assert f"main by {claim}." in told
    assert "feature" not in told
    assert "mallory" not in told
    assert text not in told


def test_each_rule_says_what_does_not_fit(account, rule, issuer):
    rule_of(account, issuer, "tags", {"repository": "acme/shop", "ref": "refs/tags/v*"})
    told = refusal(exchange(issuer.token(issuer.github(ref="refs/heads/feature", aud="x"))))
    assert "main by aud, ref; tags by aud, ref" in told


def test_an_audience_among_several_will_do(rule, issuer):
    assert exchange(issuer.token(issuer.github(aud=["x", AUDIENCE]))).status_code == 201


@pytest.mark.parametrize(
    ("seconds", "claim"),
    [({"exp": -61}, "exp"), ({"nbf": 70}, "nbf"), ({"iat": 70}, "iat")],
)
def test_times_count_with_a_minute_of_leeway(rule, issuer, seconds, claim):
    now = int(timezone.now().timestamp())
    ((name, off),) = seconds.items()
    assert f"({claim})" in refusal(exchange(issuer.token(issuer.github(**{name: now + off}))))
    nearer = now + (off // 2)
    assert exchange(issuer.token(issuer.github(**{name: nearer}))).status_code == 201


@pytest.mark.parametrize("claim", ["exp", "iat"])
@pytest.mark.parametrize("value", [None, "soon", 1e300, True, [1], "absent"])
def test_times_that_are_none_are_refused(rule, issuer, claim, value):
    claims = issuer.github(**{claim: value})
    if value == "absent":
        del claims[claim]
    refusal(exchange(issuer.token(claims)))


def test_unsigned_and_forged_tokens_are_refused(rule, issuer):
    claims = issuer.github()
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "first"}).encode()).rstrip(b"=").decode()
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert "not signed in a way" in refusal(exchange(f"{header}.{payload}."))
    # the public key used as a shared secret, which careless verifiers take
    assert "not signed in a way" in refusal(exchange(_hs256(claims, issuer.public_pem)))
    good = issuer.token(claims)
    head, _, signature = good.split(".")
    changed = json.dumps({**claims, "repository": "acme/shop", "ref": "refs/heads/main", "x": 1}).encode()
    forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
    assert "signature" in refusal(exchange(f"{head}.{forged}.{signature}"))
    stranger = Issuer()
    stranger.close()
    stranger.rotate("stranger")
    assert "signature" in refusal(exchange(issuer.token(claims, key=stranger.keys["stranger"])))
    critical = issuer.token(claims, headers={"crit": ["b64"], "b64": True})
    for nonsense in (critical, "x", "a.b.c", "..", good[:-20], "\N{SNOWMAN}", "eyJ" * 400):
        answer = exchange(nonsense)
        assert answer.status_code in (400, 403), nonsense
        assert nonsense not in answer.json()["detail"]
    assert exchange("x" * 20_000).status_code == 400
    assert not AccessToken.objects.exists()


def _hs256(claims, secret: bytes) -> str:
    """By hand: the library refuses to make one."""
    import hashlib
    import hmac

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part(json.dumps({'alg': 'HS256', 'kid': 'first'}).encode())}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def test_a_token_is_taken_once(rule, issuer):
    text = issuer.token(issuer.github(jti="one"))
    assert exchange(text).status_code == 201
    answer = exchange(text)
    assert answer.status_code == 403
    assert "used already" in answer.json()["detail"]
    assert AccessToken.objects.count() == 1
    without = issuer.github()
    del without["jti"]
    assert exchange(issuer.token(without)).status_code == 201
    assert SpentAssertion.objects.count() == 1
    assert spent_assertions_forget(now=timezone.now()) == 0
    assert spent_assertions_forget(now=timezone.now() + timedelta(minutes=10)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_that_send_it_at_once_one_gets_in(rule, issuer):
    text = issuer.token(issuer.github(jti="raced"))
    barrier, statuses = threading.Barrier(4), []

    def send() -> None:
        barrier.wait()
        statuses.append(exchange(text).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 403, 403, 403]


def test_a_key_that_is_not_known_yet_is_looked_for_and_then_not_again_and_again(rule, issuer, monkeypatch):
    seconds = [1000.0]
    monkeypatch.setattr(issuers.issuer_keys, "_clock", lambda: seconds[0])
    assert exchange(issuer.token(issuer.github())).status_code == 201
    assert exchange(issuer.token(issuer.github())).status_code == 201
    assert issuer.asked.count("/keys") == 1, "kept"
    old = issuer.token(issuer.github())
    issuer.rotate("second")
    assert exchange(issuer.token(issuer.github())).status_code == 403, "asked only just now"
    seconds[0] += 11
    assert exchange(issuer.token(issuer.github())).status_code == 201
    assert issuer.asked.count("/keys") == 2
    assert "no such key" in exchange(old).json()["detail"], "its key was withdrawn"
    assert issuer.asked.count("/keys") == 2
    seconds[0] += 601
    assert exchange(issuer.token(issuer.github())).status_code == 201
    assert issuer.asked.count("/keys") == 3


def test_an_issuer_that_is_down_is_told_as_such_and_not_asked_at_every_try(rule, issuer, monkeypatch):
    seconds = [1000.0]
    monkeypatch.setattr(issuers.issuer_keys, "_clock", lambda: seconds[0])
    text = issuer.token(issuer.github())
    issuer.answers["/keys"] = lambda: (500, {}, b"the inside of the issuer")
    told = refusal(exchange(text), 503, "issuer-unreachable")
    assert "status 500" in told
    assert "inside" not in told
    refusal(exchange(text), 503, "issuer-unreachable")
    assert issuer.asked.count("/keys") == 1
    issuer.answers.clear()
    seconds[0] += 16
    assert exchange(text).status_code == 201


def test_an_issuer_whose_port_is_closed_is_told_as_such(rule, issuer):
    text = issuer.token(issuer.github())
    issuer.close()
    assert "cannot be reached" in refusal(exchange(text), 503, "issuer-unreachable")
    issuer.close = lambda: None  # it is already


@pytest.mark.parametrize("where", ["/.well-known/openid-configuration", "/keys"])
def test_a_slow_an_endless_and_a_redirecting_issuer_hold_nothing_up(rule, issuer, where, monkeypatch):
    monkeypatch.setattr("accounts.issuer_fetch.FETCH_SECONDS", 0.3)
    monkeypatch.setattr(issuers, "FAILURE_KEPT_SECONDS", 0.0)
    text = issuer.token(issuer.github())
    gate = threading.Event()

    def slow():
        gate.wait(10)
        return 200, {}, b"{}"

    issuer.answers[where] = slow
    begun = timezone.now()
    assert "0.3 s" in refusal(exchange(text), 503, "issuer-unreachable")
    assert timezone.now() - begun < timedelta(seconds=5)
    gate.set()
    for answer, told in (
        ((200, {}, b" " * 300_000), "more than 256 KiB"),
        ((302, {"Location": f"{issuer.url}/elsewhere"}, b""), "status 302"),
        ((200, {}, b"[" * 100_000), "no JSON object"),
        ((200, {}, b"[]"), "no JSON object"),
    ):
        issuer.answers[where] = lambda answer=answer: answer
        assert told in refusal(exchange(text), 503, "issuer-unreachable")
    assert "/elsewhere" not in issuer.asked


@pytest.mark.parametrize(
    "told",
    [
        {"issuer": "https://accounts.example"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://192.0.2.1/keys"},
        {"jwks_uri": 7},
    ],
)
def test_an_issuer_that_speaks_for_another_or_leads_elsewhere_is_not_believed(rule, issuer, told):
    document = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys", **told}
    issuer.answers["/.well-known/openid-configuration"] = lambda: (200, {}, json.dumps(document).encode())
    refusal(exchange(issuer.token(issuer.github())), 503, "issuer-unreachable")


def test_an_issuer_inside_our_network_is_not_asked_unless_that_is_allowed(rule, issuer, settings):
    FederationRule.objects.update(issuer="https://127.0.0.1:1")
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = False
    text = issuer.token(issuer.github(iss="https://127.0.0.1:1"))
    assert "not on the internet" in refusal(exchange(text), 503, "issuer-unreachable")


def test_an_issuer_written_as_an_ipv6_address_is_reached_where_it_is_allowed(account, settings):
    with Issuer("::1") as issuer:
        rule_of(account, issuer)
        settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = False
        with pytest.raises(FetchFailed, match="not on the internet"):
            document_fetch(f"{issuer.url}/keys")
        settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = True
        assert exchange(issuer.token(issuer.github())).status_code == 201


def test_an_ipv6_address_without_a_port_is_asked_at_the_port_of_its_scheme(settings):
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = True
    with pytest.raises(FetchFailed, match=r"ConnectionRefusedError"):
        document_fetch("https://[::1]/keys")


@pytest.mark.parametrize("named", ["acme/payments/other", "globex/payments/ci", "ci", "", "\0", "a/b/c/d", "ü/b/c"])
def test_who_is_not_there_and_who_has_no_such_rule_get_the_same_answer(rule, issuer, named):
    text = issuer.token(issuer.github())
    answer = exchange(text, named)
    if named in ("", "\0"):
        assert answer.status_code == 400
        return
    told = refusal(answer)
    assert told == refusal(exchange(issuer.token(issuer.github(iss="https://other.example"))))
    assert issuer.asked == [], "and nobody is asked for it"


def test_a_deleted_service_account_lets_nobody_in(rule, account, issuer):
    service_account_delete(actor=MARINA, account=account, now=timezone.now())
    assert "no such service account" in refusal(exchange(issuer.token(issuer.github())))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tightened", [True, False])
def test_a_rule_that_is_changed_or_deleted_while_the_issuer_is_asked_lets_nobody_in(rule, issuer, tightened):
    def meanwhile() -> tuple[int, dict[str, str], bytes]:
        if tightened:
            federation_rule_update(actor=MARINA, rule=rule, claims={"repository": "acme/other"}, now=timezone.now())
        else:
            federation_rule_delete(actor=MARINA, rule=rule, now=timezone.now())
        connection.close()
        keys: tuple[int, dict[str, str], bytes] = issuer.usual["/keys"]()
        return keys

    issuer.answers["/keys"] = meanwhile
    refusal(exchange(issuer.token(issuer.github())))


def test_one_that_was_deactivated_lets_nobody_in(rule, account, issuer):
    user_deactivate(actor=MARINA, user=account.user, now=timezone.now())
    assert "no such service account" in refusal(exchange(issuer.token(issuer.github())))


def test_too_many_tries_are_refused_before_the_token_is_looked_at(rule, issuer, settings):
    settings.FEDERATION_RATE = "2/min"
    assert [exchange("x").status_code for _ in range(3)] == [400, 400, 429]
    answer = exchange(issuer.token(issuer.github()))
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) >= 1


def test_no_log_answer_or_row_has_either_token(rule, issuer, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    given = issuer.token(issuer.github())
    refused = issuer.token(issuer.github(ref="other"))
    made = exchange(given).json()["token"]
    answer = exchange(refused)
    told = "".join(capfd.readouterr()) + caplog.text + answer.content.decode()
    told += str([vars(row) for model in (AuditEvent, AccessToken, SpentAssertion) for row in model.objects.all()])
    for text in (given, refused):
        assert text.split(".")[2] not in told
    assert made.split("_", 2)[2] not in told


# Rules


@pytest.fixture
def ada(world) -> User:
    ada = person("ada")
    give(ada, "admin", world.payments)
    return ada


BODY = {
    "service_account": "acme/payments/ci",
    "name": "main",
    "issuer": "https://token.actions.githubusercontent.com",
    "audience": AUDIENCE,
    "claims": GITHUB,
}


def test_who_manages_the_service_account_makes_changes_and_deletes_rules(world, ada, account):
    client, url = signed_in(ada), "/api/v1/federation-rules"
    made = client.post(url, BODY, "json")
    assert made.status_code == 201, made.content
    assert made.json()["claims"] == GITHUB
    assert client.post(url, BODY, "json").status_code == 409
    one = f"{url}/{made.json()['id']}"
    changed = client.patch(one, {"claims": {"repository": "acme/*"}}, "json")
    assert changed.json()["claims"] == {"repository": "acme/*"}
    listed = client.get(f"{url}?service_account={account.pk}").json()["results"]
    assert [each["name"] for each in listed] == ["main"]
    stranger = signed_in(world.greta)
    assert stranger.get(one).status_code == 404
    vera = person("vera")
    give(vera, "viewer", world.payments)
    assert signed_in(vera).get(one).status_code == 200
    assert signed_in(vera).delete(one).status_code == 403
    assert client.delete(one).status_code == 204
    done = AuditEvent.objects.filter(object_kind="federation-rule", result="ok").order_by("id")
    assert [row.action for row in done] == ["federation.create", "federation.update", "federation.delete"]


@pytest.mark.parametrize(
    ("different", "field"),
    [
        ({"issuer": "http://issuer.example"}, "issuer"),
        ({"issuer": "http://10.0.0.1"}, "issuer"),
        ({"issuer": "ftp://issuer.example"}, "issuer"),
        ({"issuer": "https://me:pw@issuer.example"}, "issuer"),
        ({"issuer": "https://issuer.example/#x"}, "issuer"),
        ({"issuer": "https://"}, "issuer"),
        ({"issuer": "https://[x"}, "issuer"),
        ({"issuer": "issuer.example"}, "issuer"),
        ({"audience": " "}, "audience"),
        ({"claims": {}}, "claims"),
        ({"claims": {"aud": "x", "iss": "y"}}, "claims"),
        ({"claims": {"repository": "*"}}, "claims"),
        ({"claims": {"repository": "*/*"}}, "claims"),
        ({"claims": {"repository": ["acme/shop", "*"]}}, "claims"),
        ({"claims": {"repository": []}}, "claims.repository"),
        ({"claims": {"repository": ""}}, "claims.repository"),
        ({"claims": {"repository": None}}, "claims.repository"),
        ({"claims": {"repository": {"a": 1}}}, "claims.repository"),
        ({"claims": {"repository": 1.5}}, "claims.repository"),
        ({"claims": {"repository": "a\0"}}, "claims.repository"),
        ({"claims": ["repository"]}, "claims"),
        ({"service_account": "acme/payments/none"}, "service_account"),
        ({"name": "Not good"}, "name"),
    ],
)
def test_a_rule_that_makes_no_sense_or_lets_everybody_in_is_refused(ada, account, different, field):
    answer = signed_in(ada).post("/api/v1/federation-rules", {**BODY, **different}, "json")
    assert answer.status_code == 400, answer.content
    assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["errors"][0]["accepted"]


def test_plain_http_on_this_machine_takes_the_setting(ada, account, settings):
    body = {**BODY, "issuer": "http://127.0.0.1:9000"}
    assert signed_in(ada).post("/api/v1/federation-rules", {**body, "name": "one"}, "json").status_code == 201
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = False
    assert signed_in(ada).post("/api/v1/federation-rules", {**body, "name": "two"}, "json").status_code == 400


@pytest.mark.parametrize("change", ["patch", "delete"])
def test_tokens_end_with_the_rule_that_gave_them(ada, rule, issuer, change):
    text = exchange(issuer.token(issuer.github())).json()["token"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert client.get("/api/v1/me").status_code == 200
    url = f"/api/v1/federation-rules/{rule.pk}"
    admin = signed_in(ada)
    assert getattr(admin, change)(url, {"audience": "x"} if change == "patch" else None, "json").status_code in (
        200,
        204,
    )
    assert client.get("/api/v1/me").status_code == 401


def test_a_limited_token_makes_no_rule(ada, account):
    from accounts.services.tokens import token_create

    actions = ["project.view", "serviceaccount.manage"]
    made = token_create(actor=MARINA, user=ada, name="x", expires_in=None, now=timezone.now(), actions=actions)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.text}")
    assert client.post("/api/v1/federation-rules", BODY, "json").status_code == 403


@pytest.mark.parametrize(
    ("wanted", "found", "fits"),
    [
        ("acme/shop", "acme/shop", True),
        ("acme/shop", "acme/shop2", False),
        ("acme/shop", "ACME/shop", False),
        ("acme/*", "acme/shop", True),
        ("acme/*", "acme2/shop", False),
        ("a.b", "axb", False),
        ("*main", "refs/heads/main", True),
        ("refs/*/v*", "refs/tags/v1", True),
        (["x", "acme/*"], "acme/shop", True),
        ("ops", ["dev", "ops"], True),
        ("ops", ["dev"], False),
        ("ops", [["ops"]], False),
        (True, True, True),
        (True, "true", False),
        (True, 1, False),
        (1, 1, True),
        ("1", 1, False),
        ("x", None, False),
    ],
)
def test_what_fits_a_claim(wanted, found, fits):
    assert claim_fits(wanted, found) == fits


def test_the_library_is_one_that_knows_the_times_that_are_compared_here():
    """`exp` and the others are compared by Marina, with the leeway that it promises, not by the library's clock."""
    text = jwt.encode({"exp": datetime(2000, 1, 1, tzinfo=UTC)}, "x" * 32, "HS256")
    assert jwt.decode(text, options={"verify_signature": False})["exp"] == 946684800


def test_a_dry_run_hands_out_no_token_and_leaves_the_assertion_for_the_exchange_in_earnest(rule, issuer):
    body = {"token": issuer.token(issuer.github()), "service_account": "acme/payments/ci"}
    tried = APIClient().post(f"{URL}?dry_run=true", body, "json")
    assert (tried.status_code, tried.json()["token"]) == (201, PLACEHOLDER)
    assert not AccessToken.objects.exists()
    assert exchange(body["token"]).status_code == 201


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("address", ["168.63.129.16", "169.254.169.254"])
def test_what_clouds_tell_their_machines_is_never_asked_for(settings, address, private):
    settings.FEDERATION_ALLOW_PRIVATE_ISSUERS = private
    with pytest.raises(FetchFailed, match="not on the internet"):
        document_fetch(f"https://{address}/.well-known/openid-configuration")
