"""Codes of an app and recovery codes: asked for wherever a password opens something, used once, kept encrypted."""

import json
import re
from base64 import b64encode

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import AuditEvent, User
from accounts.services.second_factors import second_factor_reset
from tests.accounts.conftest import MARINA, PASSWORD, person
from tests.accounts.totp import code_now, code_of, second_factor_given
from tests.canaries import canary

HERE = "192.0.2.1"


@pytest.fixture
def ana(db, quick_passwords) -> User:
    return person("ana", password=PASSWORD)


def with_password(**fields) -> Client:
    client = Client()
    client.post("/sign-in", {"login": "ana", "password": PASSWORD, **fields})
    return client


def signed_in(client) -> bool:
    return "_auth_user_id" in client.session


def text(answer) -> str:
    return str(answer.content.decode())


def set_up(client) -> tuple[str, list[str]]:
    """Sets up an app by the pages; its seed and the recovery codes."""
    page = text(client.get("/account/second-factor/set-up"))
    [grouped] = re.findall(r'<code class="paste">([A-Z2-7 ]+)</code>', page)
    secret = grouped.replace(" ", "")
    shown = client.post("/account/second-factor/set-up", {"code": code_now(secret), "current": PASSWORD})
    codes = re.findall(r'<code class="paste">(\d+)</code>', text(shown))
    for code in codes[:2]:  # many short ones would be found by chance
        canary(code, "a recovery code")
    return canary(secret, "the seed of a second factor"), codes


def basic(password=PASSWORD):
    header = "Basic " + b64encode(f"ana:{password}".encode()).decode()
    return APIClient().post("/api/v1/access-tokens", {"name": "x"}, "json", HTTP_AUTHORIZATION=header)


def test_an_app_is_set_up_by_a_code_of_it_and_asked_for_from_then_on(ana):
    browser = with_password()
    secret, codes = set_up(browser)
    assert len(codes) == 10
    again = with_password(next="/account/tokens")
    assert not signed_in(again)
    assert again.get("/account")["Location"] == "/sign-in?next=/account"
    answer = again.post("/sign-in/code", {"code": code_now(secret, steps=1)})
    assert answer["Location"] == "/account/tokens"
    assert signed_in(again)
    actions = AuditEvent.objects.exclude(action="user.create").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["sign-in", "user.second-factor.set-up", "sign-in"]


def test_the_set_up_page_keeps_the_seed_while_one_types_and_shows_it_as_picture_and_text(ana):
    browser = with_password()
    first = text(browser.get("/account/second-factor/set-up"))
    wrong = text(browser.post("/account/second-factor/set-up", {"code": "000000", "current": PASSWORD}))
    seed = re.findall(r'<code class="paste">([A-Z2-7 ]+)</code>', first)
    assert re.findall(r'<code class="paste">([A-Z2-7 ]+)</code>', wrong) == seed
    assert "<svg" in first
    assert "This code does not fit" in wrong
    assert not Authenticator.objects.exists()


def test_a_borrowed_browser_sets_up_nothing_without_the_password(ana):
    browser = with_password()
    page = text(browser.get("/account/second-factor/set-up"))
    secret = re.findall(r'<code class="paste">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    answer = browser.post("/account/second-factor/set-up", {"code": code_now(secret), "current": "wrong"})
    assert "not your present password" in text(answer)
    assert not Authenticator.objects.exists()


def test_a_code_works_once(ana):
    second_factor_given(ana)
    code = code_of(ana)
    first, second = with_password(), with_password()
    first.post("/sign-in/code", {"code": code})
    assert signed_in(first)
    assert "This code does not fit" in text(second.post("/sign-in/code", {"code": code}))
    assert not signed_in(second)


def test_a_clock_may_be_off_by_one_step_and_an_older_code_is_not_taken_after_a_newer(ana):
    secret = second_factor_given(ana)
    browser = with_password()
    browser.post("/sign-in/code", {"code": code_now(secret, steps=1)})
    assert signed_in(browser)
    late = with_password()
    late.post("/sign-in/code", {"code": code_now(secret)})
    assert not signed_in(late)
    wrong = with_password()
    wrong.post("/sign-in/code", {"code": code_now(secret, steps=3)})
    assert not signed_in(wrong)


def test_a_recovery_code_stands_in_once(ana):
    _, codes = set_up(with_password())
    browser = with_password()
    browser.post("/sign-in/code", {"code": codes[3]})
    assert signed_in(browser)
    assert "9 left" in text(browser.get("/account/second-factor"))
    again = with_password()
    again.post("/sign-in/code", {"code": codes[3]})
    assert not signed_in(again)
    assert AuditEvent.objects.filter(action="user.recovery-code.use").count() == 1


def test_new_recovery_codes_replace_the_old_ones(ana):
    browser = with_password()
    _, old = set_up(browser)
    answer = browser.post("/account/second-factor/recovery-codes", {"code": old[0]})
    new = re.findall(r'<code class="paste">(\d+)</code>', text(answer))
    assert len(new) == 10
    assert not set(new) & set(old)
    late = with_password()
    late.post("/sign-in/code", {"code": old[1]})
    assert not signed_in(late)


def test_the_second_factor_is_removed_only_with_a_code_of_it(ana):
    browser = with_password()
    _, codes = set_up(browser)
    assert "does not fit" in text(browser.post("/account/second-factor/remove", {"code": "123456"}))
    assert Authenticator.objects.exists()
    browser.post("/account/second-factor/remove", {"code": codes[0]})
    assert not Authenticator.objects.exists()
    assert signed_in(with_password())


def test_codes_are_tried_only_so_often_also_with_right_ones_and_from_elsewhere(ana, settings):
    settings.SIGN_IN_RATE = "3/min"
    secret = second_factor_given(ana)
    browser = with_password()
    for _ in range(3):
        assert "does not fit" in text(browser.post("/sign-in/code", {"code": "000000"}))
    refused = text(browser.post("/sign-in/code", {"code": code_now(secret)}))
    assert "Too many tries. Try again in 1 minute." in refused
    elsewhere = browser.post("/sign-in/code", {"code": code_now(secret)}, REMOTE_ADDR="198.51.100.1")
    assert "Too many tries" in text(elsewhere)
    assert not signed_in(browser)


def test_the_code_page_is_nothing_without_the_password_before_it(ana):
    second_factor_given(ana)
    client = Client()
    assert client.get("/sign-in/code")["Location"] == "/sign-in"
    assert client.post("/sign-in/code", {"code": code_of(ana)})["Location"] == "/sign-in"
    assert not signed_in(client)


def test_who_is_deactivated_between_password_and_code_does_not_enter(ana):
    second_factor_given(ana)
    browser = with_password()
    User.objects.update(is_active=False)
    browser.post("/sign-in/code", {"code": code_of(ana)})
    assert browser.get("/account").status_code == 302


def test_a_password_alone_makes_no_token_where_there_is_a_second_factor(ana):
    assert basic().status_code == 201
    second_factor_given(ana)
    refused = basic()
    assert refused.status_code == 401
    assert "needs a second factor" in refused.json()["detail"]
    row = AuditEvent.objects.get(action="sign-in", result="failed")
    assert (row.object_name, row.details["why"]) == ("ana", "The password fits, but the account needs a second factor.")
    assert "second factor" not in basic("wrong").json()["detail"], "said only to who has the password"


def test_staff_without_the_second_factor_they_need_get_no_token_by_password(ana, settings):
    settings.MFA_REQUIRED_FOR_STAFF = True
    assert basic().status_code == 201
    User.objects.update(is_staff=True)
    assert basic().status_code == 401


def test_staff_who_need_one_go_on_once_they_have_set_it_up(ana, settings):
    settings.MFA_REQUIRED_FOR_STAFF = True
    User.objects.update(is_staff=True, is_superuser=True)
    browser = with_password()
    assert browser.get("/admin/")["Location"] == "/account/second-factor/set-up"
    assert "Platform staff need a second factor here." in text(browser.get("/account/second-factor/set-up"))
    set_up(browser)
    assert browser.get("/admin/").status_code == 200


def test_platform_staff_remove_the_second_factor_of_who_lost_it(ana):
    second_factor_given(ana)
    site = Client()
    site.force_login(person("staff", is_staff=True, is_superuser=True))
    action = {"action": "remove_second_factor", "_selected_action": str(ana.pk)}
    page = site.post("/admin/accounts/user/", action, follow=True)
    assert "ana has no second factor any more." in text(page)
    assert signed_in(with_password())
    assert AuditEvent.objects.get(action="user.second-factor.remove").actor == "staff"
    assert second_factor_reset(actor=MARINA, user=ana, now=timezone.now()) is False


def test_seeds_are_encrypted_in_the_database_and_in_the_session_while_they_are_set_up(ana):
    browser = with_password()
    page = text(browser.get("/account/second-factor/set-up"))
    seed = re.findall(r'<code class="paste">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    kept = json.dumps([Session(session_data=each.session_data).get_decoded() for each in Session.objects.all()])
    assert seed not in kept
    secret, codes = set_up(browser)
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert secret not in stored
    assert not any(code in stored for code in codes)
    audited = json.dumps(list(AuditEvent.objects.values_list("details", flat=True)))
    assert secret not in audited


def test_seeds_are_written_anew_when_the_keys_change(ana, settings, capsys):
    secret = second_factor_given(ana)
    before = Authenticator.objects.get().data["secret"]
    settings.MARINA_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.MARINA_ENCRYPTION_KEYS]
    call_command("rotate_encryption_keys")
    assert "1 parts of second factors" in capsys.readouterr().out
    settings.MARINA_ENCRYPTION_KEYS = settings.MARINA_ENCRYPTION_KEYS[:1]
    assert Authenticator.objects.get().data["secret"] != before
    browser = with_password()
    browser.post("/sign-in/code", {"code": code_now(secret)})
    assert signed_in(browser)
