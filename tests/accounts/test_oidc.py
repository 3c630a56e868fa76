"""Signing in by OpenID Connect, against a real provider in a process of its own: the whole way of a browser."""

import json

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.access import allowed
from accounts.models import AuditEvent, StaffGrant, User
from accounts.oidc.claims import claims_read
from accounts.oidc.issuers import OidcIssuer
from accounts.services.group_mappings import group_mapping_create
from accounts.services.users import user_activate, user_deactivate
from localkube.ports import free_ports
from tests.accounts.conftest import MARINA, PASSWORD, person
from tests.accounts.oidc_browser import Browser, Provider, changed, parameter, provider_start
from tests.accounts.totp import code_of, second_factor_given


@pytest.fixture(scope="session")
def running_provider(processes, run_folder) -> Provider:
    return provider_start(processes, run_folder / "oidc-provider")


@pytest.fixture
def provider(running_provider, settings, db, quick_passwords) -> Provider:
    """The provider, as Marina's only issuer."""
    found: Provider = running_provider
    found.behaviour()
    for name, value in found.settings().items():
        setattr(settings, name, value)
    return found


def text(answer) -> str:
    return str(answer.content.decode())


def test_the_first_sign_in_makes_a_user_and_the_second_finds_them(provider):
    subject = provider.person("jane.doe", email="Jane.Doe@example.org", email_verified=True, name="Jane Doe")
    browser = Browser()
    answer = browser.sign_in("jane.doe")
    assert answer.status_code == 302
    assert browser.signed_in
    jane = User.objects.get(handle="jane-doe")
    assert (jane.name, jane.email, jane.is_staff, jane.is_active) == ("Jane Doe", "Jane.Doe@example.org", False, True)
    assert not jane.has_usable_password()
    assert SocialAccount.objects.get(user=jane).extra_data == {"iss": provider.issuer, "sub": subject, "groups": []}
    assert Browser().sign_in("jane.doe").status_code == 302
    assert User.objects.count() == 1
    actions = list(AuditEvent.objects.filter(object_id=str(jane.pk)).order_by("id").values_list("action", flat=True))
    assert actions == ["user.create", "user.identity.connect", "sign-in", "sign-in"]


def test_after_signing_in_one_is_where_one_wanted_to_go_and_never_elsewhere(provider):
    provider.person("ada")
    assert Browser().sign_in("ada", next="/account/tokens")["Location"] == "/account/tokens"
    assert Browser().sign_in("ada", next="https://evil.example.org/")["Location"] == "/"


@pytest.mark.parametrize(
    ("name", "claims", "handle"),
    [
        ("taken", {}, "taken-2"),
        ("ÄRGER@example.org", {}, "arger"),
        ("___", {"email": "max.m@example.org"}, "max-m"),
        ("_", {"name": "Zoë"}, "zoe"),
        ("__", {}, "user"),
        ("x" * 100, {}, "x" * 40),
    ],
)
def test_handles_come_from_what_the_issuer_says_and_keep_the_rule(provider, name, claims, handle):
    person("taken")
    provider.person(name, **claims)
    Browser().sign_in(name)
    assert User.objects.exclude(handle="taken").get().handle == handle


def test_somebody_with_the_name_of_an_existing_user_gets_an_account_of_their_own(provider):
    admin = person("admin", is_staff=True, is_superuser=True, email="admin@example.org")
    provider.person("admin", email="admin@example.org", email_verified=True)
    browser = Browser()
    browser.sign_in("admin")
    assert browser.marina.session["_auth_user_id"] != str(admin.pk)
    assert User.objects.get(handle="admin-2").is_staff is False


def test_an_issuer_that_is_trusted_with_addresses_opens_the_one_account_that_has_it(provider, settings):
    ana = person("ana", email="ana@example.org")
    provider.person("ana1", email="ANA@example.org", email_verified=False)
    settings.OIDC_TRUST_EMAIL = True
    Browser().sign_in("ana1")
    assert User.objects.filter(handle="ana1").exists(), "not verified, so not the same"
    provider.person("ana2", email="ANA@example.org", email_verified=True)
    assert User.objects.get(handle="ana1").email == "", "nor kept: it may be another's"
    browser = Browser()
    browser.sign_in("ana2")
    assert browser.marina.session["_auth_user_id"] == str(ana.pk)


@pytest.mark.parametrize(
    ("token", "userinfo", "believed"),
    [
        ({"email": "ana@example.org", "email_verified": True}, {}, True),
        ({}, {"email": "ana@example.org", "email_verified": True}, True),
        ({"email": "ana@example.org"}, {"email": "ana@example.org", "email_verified": True}, True),
        ({"email": "ana@example.org"}, {"email": "mallory@example.org", "email_verified": True}, False),
        ({"email_verified": True}, {"email": "ana@example.org"}, False),
        ({"email": "ana@example.org", "email_verified": False}, {"email_verified": True}, False),
        ({"email": "ana@example.org", "email_verified": "true"}, {}, False),
        ({"email": "ana@example.org"}, {}, False),
    ],
)
def test_an_address_is_verified_where_the_issuer_says_so_of_this_very_address(token, userinfo, believed):
    issuer = OidcIssuer(id="sso", issuer="https://issuer.example", client_id="marina")
    told = {"sub": "1", **userinfo} if userinfo else {}
    claims = claims_read({"sub": "1", **token}, told, issuer=issuer)
    assert (claims.email, claims.email_verified) == ("ana@example.org", believed)


def test_an_address_that_another_issuer_put_there_opens_nothing_for_who_it_belongs_to(provider, settings):
    provider.person("mallory", email="ana@example.org", email_verified=True)
    Browser().sign_in("mallory")  # by an issuer that is not trusted with addresses
    mallory = User.objects.get(handle="mallory")
    settings.OIDC_TRUST_EMAIL = True
    SocialAccount.objects.filter(user=mallory).update(provider="partners")
    provider.person("ana", email="ana@example.org", email_verified=True)
    browser = Browser()
    browser.sign_in("ana")
    assert browser.marina.session["_auth_user_id"] == str(User.objects.get(handle="ana").pk) != str(mallory.pk)


def test_an_address_opens_no_account_of_platform_staff_and_none_of_two(provider, settings):
    settings.OIDC_TRUST_EMAIL = True
    person("boss", email="boss@example.org", is_staff=True)
    person("one", email="both@example.org")
    person("two", email="both@example.org")
    for name, email in (("evil", "boss@example.org"), ("three", "both@example.org")):
        provider.person(name, email=email, email_verified=True)
        Browser().sign_in(name)
        assert User.objects.filter(handle=name).exists()


def test_who_was_deactivated_cannot_enter_and_is_told_so(provider):
    provider.person("gone")
    browser = Browser()
    browser.sign_in("gone")
    gone = User.objects.get(handle="gone")
    user_deactivate(actor=MARINA, user=gone, now=timezone.now())
    assert not browser.signed_in
    answer = Browser().sign_in("gone")
    assert answer.status_code == 403
    assert "gone was deactivated" in text(answer)
    user_activate(actor=MARINA, user=gone)
    assert Browser().sign_in("gone").status_code == 302


def test_refusals_on_the_way_back_from_an_issuer_are_recorded_as_sign_ins_that_failed(provider):
    provider.person("ada")
    Browser().sign_in("ada")
    user_deactivate(actor=MARINA, user=User.objects.get(handle="ada"), now=timezone.now())
    Browser().sign_in("ada")
    assert Client().get("/sign-in/oidc/sso/callback", {"code": "x" * 20, "state": "y" * 20}).status_code == 400
    rows = AuditEvent.objects.filter(action="sign-in").order_by("pk")
    assert [(row.result, row.object_name) for row in rows] == [("ok", "ada"), ("failed", "ada"), ("failed", "")]
    assert [row.details.get("why", "").partition(":")[2][:16] for row in rows] == ["", "", " begun elsewhere"]


def test_a_callback_that_this_browser_did_not_begin_is_refused(provider):
    provider.person("ada")
    browser = Browser()
    callback = browser.at_provider(browser.begin()["Location"], "ada")
    for other, address in (
        (browser, changed(callback, state="somebody-elses")),
        (Browser(), callback),
    ):
        answer = other.back(address)
        assert answer.status_code == 400
        assert "cannot be completed" in text(answer)
        assert not other.signed_in
    assert browser.back(callback).status_code == 302
    assert browser.back(callback).status_code == 400, "a callback works once"


def test_a_token_that_was_made_for_another_sign_in_is_refused(provider):
    provider.person("ada")
    browser = Browser()
    address = browser.begin()["Location"]
    assert parameter(address, "nonce")
    assert parameter(address, "code_challenge_method") == "S256"
    answer = browser.back(browser.at_provider(changed(address, nonce="another"), "ada"))
    assert answer.status_code == 502
    assert "made for another sign-in" in text(answer)
    assert not browser.signed_in
    assert not User.objects.exists()


def test_a_userinfo_of_somebody_else_is_refused(provider):
    provider.person("ada")
    provider.behaviour(userinfo={"sub": "4711"})
    answer = Browser().sign_in("ada")
    assert "of two people" in text(answer)
    assert not User.objects.exists()


def test_an_issuer_that_is_down_or_wrong_is_a_sentence_and_no_failure_of_marina(provider, settings):
    browser = Browser()
    settings.OIDC_ISSUER = f"http://127.0.0.1:{free_ports(1)[0]}"
    answer = browser.begin()
    assert answer.status_code == 502
    assert "single sign-on does not answer as it should" in text(answer)
    settings.OIDC_ISSUER = provider.address  # nothing is described there
    assert browser.begin().status_code == 502
    settings.OIDC_ISSUER = f"{provider.issuer}/"  # written with a slash it is the same
    assert browser.begin().status_code == 302


def test_a_wrong_client_secret_is_a_sentence_and_shows_nothing_of_it(provider, settings, capfd):
    provider.person("ada")
    settings.OIDC_CLIENT_SECRET = "not-the-client-secret"
    answer = Browser().sign_in("ada")
    assert answer.status_code == 502
    said = capfd.readouterr()
    assert "not-the-client-secret" not in text(answer) + said.out + said.err


def test_who_says_no_at_the_issuer_is_told_that_it_was_cancelled(provider):
    browser = Browser()
    state = parameter(browser.begin()["Location"], "state")
    answer = browser.marina.get("/sign-in/oidc/sso/callback", {"error": "access_denied", "state": state})
    assert answer.status_code == 403
    assert "cancelled" in text(answer)


def test_nobody_is_sent_to_an_issuer_by_a_link(provider):
    assert Browser().marina.get("/sign-in/oidc/sso")["Location"] == "/sign-in"
    assert Browser().marina.get("/sign-in/oidc/unknown").status_code == 404


def test_nothing_of_the_redirect_is_taken_from_the_request(provider):
    address = Browser().marina.post("/sign-in/oidc/sso?scope=admin&auth_params=redirect_uri%3Dhttps://evil")["Location"]
    assert parameter(address, "redirect_uri") == "http://testserver/sign-in/oidc/sso/callback"
    assert parameter(address, "scope") == "openid profile email"


def test_a_second_factor_is_asked_for_after_the_issuer_unless_the_issuer_asks_itself(provider, settings):
    provider.person("ada")
    Browser().sign_in("ada")
    ada = User.objects.get(handle="ada")
    second_factor_given(ada)
    browser = Browser()
    answer = browser.sign_in("ada", next="/account/tokens")
    assert answer["Location"] == "/sign-in/code"
    assert not browser.signed_in
    answer = browser.marina.post("/sign-in/code", {"code": code_of(ada)})
    assert answer["Location"] == "/account/tokens"
    assert browser.signed_in
    assert AuditEvent.objects.filter(action="sign-in")[0].details == {
        "by": provider.issuer,
        "second_factor": True,
    }
    settings.OIDC_SECOND_FACTOR = True
    vouched = Browser()
    assert vouched.sign_in("ada")["Location"] == "/"
    assert vouched.signed_in


def test_a_group_of_the_issuer_makes_platform_staff_only_where_the_settings_say_so(provider, settings):
    provider.person("ops", groups=["admins"], is_staff=True)
    Browser().sign_in("ops")
    assert User.objects.get(handle="ops").is_staff is False
    settings.OIDC_STAFF_GROUP = "admins"
    Browser().sign_in("ops")
    assert User.objects.get(handle="ops").is_staff is True
    provider.person("ops", groups=[])
    Browser().sign_in("ops")
    assert User.objects.get(handle="ops").is_staff is False


def test_who_is_staff_by_hand_stays_so_without_the_group(provider, settings):
    settings.OIDC_STAFF_GROUP = "admins"
    provider.person("ops", groups=["admins"])
    Browser().sign_in("ops")
    by_hand = User.objects.get(handle="ops")
    provider.person("root", groups=["admins"])
    Browser().sign_in("root")
    User.objects.filter(handle="root").update(is_staff=True)

    StaffGrant.objects.filter(user__handle="root").delete()
    for name in ("ops", "root"):
        provider.person(name, groups=[])
        Browser().sign_in(name)
    by_hand.refresh_from_db()
    assert by_hand.is_staff is False
    assert User.objects.get(handle="root").is_staff is True


def test_staff_who_need_a_second_factor_get_no_further_than_setting_it_up(provider, settings):
    settings.MFA_REQUIRED_FOR_STAFF, settings.OIDC_STAFF_GROUP = True, "admins"
    provider.person("ops", groups=["admins"])
    browser = Browser()
    browser.sign_in("ops")
    for address in ("/account", "/admin/", "/account/tokens"):
        assert browser.marina.get(address)["Location"] == "/account/second-factor/set-up"
    refused = browser.marina.get("/api/v1/me")
    assert (refused.status_code, refused.json()["code"]) == (403, "second-factor-needed")
    settings.OIDC_SECOND_FACTOR = True
    assert browser.marina.get("/admin/").status_code == 200


def test_an_existing_user_connects_an_issuer_with_their_password_and_disconnects_it(provider):
    ana = person("ana", password=PASSWORD)
    provider.person("somebody")
    browser = Browser()
    browser.marina.post("/sign-in", {"login": "ana", "password": PASSWORD})
    answer = browser.begin(process="connect", current="wrong")
    assert answer["Location"] == "/account"
    answer = browser.back(
        browser.at_provider(browser.begin(process="connect", current=PASSWORD)["Location"], "somebody")
    )
    assert answer["Location"] == "/account"
    other = Browser()
    other.sign_in("somebody")
    assert other.marina.session["_auth_user_id"] == str(ana.pk)
    row = SocialAccount.objects.get()
    browser.marina.post(f"/account/identities/{row.pk}/disconnect")
    assert not SocialAccount.objects.exists()


def test_nobody_connects_an_identity_that_opens_anothers_account_or_gives_up_their_only_way_in(provider):
    provider.person("owner")
    owner = Browser()
    owner.sign_in("owner")
    person("thief", password=PASSWORD)
    thief = Browser()
    thief.marina.post("/sign-in", {"login": "thief", "password": PASSWORD})
    thief.back(thief.at_provider(thief.begin(process="connect", current=PASSWORD)["Location"], "owner"))
    assert "signs in as somebody else" in text(thief.marina.get("/account"))
    row = SocialAccount.objects.get()
    assert row.user.handle == "owner"
    thief.marina.post(f"/account/identities/{row.pk}/disconnect")
    owner.marina.post(f"/account/identities/{row.pk}/disconnect")
    assert "only way to sign in" in text(owner.marina.get("/account"))
    assert SocialAccount.objects.count() == 1


def test_another_issuer_under_the_same_id_opens_nobodys_account(provider, settings):
    subject = provider.person("ada")
    Browser().sign_in("ada")
    SocialAccount.objects.update(uid="0" * 64)  # as if ada's row were of another issuer with the same `sub`
    Browser().sign_in("ada")
    assert User.objects.count() == 2
    assert {row.extra_data["sub"] for row in SocialAccount.objects.all()} == {subject}


def test_two_issuers_can_be_configured_and_both_stand_on_the_page(provider, settings):
    second = {"id": "second", "issuer": "https://login.example.org", "client_id": "x", "name": "the other one"}
    settings.OIDC_MORE_ISSUERS = json.dumps([second])
    page = text(Browser().marina.get("/sign-in"))
    assert "Sign in with single sign-on" in page
    assert "Sign in with the other one" in page


def test_nothing_of_the_issuers_tokens_is_stored(provider):
    provider.person("ada")
    browser = Browser()
    begun = browser.begin()
    callback = browser.at_provider(begun["Location"], "ada")
    browser.back(callback)
    kept = json.dumps([Session(session_data=each.session_data).get_decoded() for each in Session.objects.all()])
    kept += json.dumps(list(SocialAccount.objects.values_list("extra_data", flat=True)))
    assert "access_token" not in kept
    assert "eyJ" not in kept, "no JWT"
    assert parameter(callback, "code") not in kept
    assert not SocialToken.objects.exists()
    assert not Authenticator.objects.exists()


def test_memberships_follow_the_groups_that_the_issuer_tells_at_each_sign_in(provider, world):
    group_mapping_create(actor=MARINA, organization=world.acme, group="devs", role="developer", project=world.payments)
    group_mapping_create(actor=MARINA, organization=world.acme, group="ops", team=world.dockers)
    provider.person("ada", groups=["devs", "ops"])
    browser = Browser()
    browser.sign_in("ada")
    ada = User.objects.get(handle="ada")
    assert allowed(ada, "virtualcluster.create", world.payments)
    assert list(world.dockers.members.all()) == [ada]
    assert "acme/payments" in text(browser.marina.get("/account"))
    provider.person("ada", groups=["ops"])
    assert allowed(ada, "virtualcluster.create", world.payments), "until the next sign-in"
    Browser().sign_in("ada")
    assert not allowed(ada, "virtualcluster.create", world.payments)
    assert list(world.dockers.members.all()) == [ada]
    provider.person("ada")
    Browser().sign_in("ada")
    assert not world.dockers.members.exists()


def test_groups_give_nothing_before_the_second_factor_was_shown(provider, world):
    provider.person("ada", groups=["devs"])
    Browser().sign_in("ada")
    ada = User.objects.get(handle="ada")
    second_factor_given(ada)
    group_mapping_create(actor=MARINA, organization=world.acme, group="devs", role="member")
    browser = Browser()
    browser.sign_in("ada")
    assert not ada.role_bindings.exists()
    browser.marina.post("/sign-in/code", {"code": code_of(ada)})
    assert allowed(ada, "organization.view", world.acme)
