"""The pages of one's account: who may see them, what they keep to themselves, sessions and tokens."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.browser_words import browser_words
from accounts.models import AccessToken, AuditEvent, User
from accounts.services.sign_ins import sign_in_note
from tests.accounts.conftest import PASSWORD, person
from tests.accounts.totp import second_factor_given
from tests.canaries import canary

PAGES = (
    "/account",
    "/account/second-factor",
    "/account/second-factor/set-up",
    "/account/sessions",
    "/account/tokens",
    "/account/notifications",
    "/account/notifications/preferences",
    "/webhooks",
    "/webhooks/new",
    "/device",
)
WITH_FACTOR = ("/account/second-factor/remove", "/account/second-factor/recovery-codes")
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ana(db, quick_passwords) -> User:
    return person("ana", password=PASSWORD, name="Ana")


def sign_in(handle="ana", password=PASSWORD, **extra) -> Client:
    client = Client(**extra)
    client.post("/sign-in", {"login": handle, "password": password})
    return client


@pytest.fixture
def browser(ana) -> Client:
    return sign_in(HTTP_USER_AGENT=FIREFOX)


def text(answer) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("page", [*PAGES, *WITH_FACTOR])
def test_a_page_leads_strangers_to_sign_in_and_then_back_to_it(ana, page):
    client = Client()
    sent = client.get(page)
    assert sent["Location"] == f"/sign-in?next={page}"
    assert f'name="next" value="{page}"' in text(client.get(sent["Location"]))
    back = client.post("/sign-in", {"login": "ana", "password": PASSWORD, "next": page})
    assert back["Location"] == page


@pytest.mark.parametrize("page", [*PAGES, *WITH_FACTOR, "/sign-in", "/sign-out"])
def test_every_page_can_be_used_by_everybody_and_loads_nothing_from_outside(browser, ana, page):
    if page in WITH_FACTOR:
        second_factor_given(ana)
    if page == "/sign-in":
        browser = Client()
    answer = browser.get(page)
    shown = text(answer)
    assert answer.status_code == 200
    assert shown.count("<h1") == 1
    assert '<html lang="en">' in shown
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "no-store" in answer["Cache-Control"]
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', shown) == []
    assert re.findall(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", shown) == []
    for name in re.findall(r'<(?:input|select)[^>]*id="(id_[a-z_]+)"', shown):
        assert f'for="{name}"' in shown, "each field has a label"


def test_wrong_passwords_keep_the_handle_and_say_it_beside_the_form(ana):
    answer = Client().post("/sign-in", {"login": "ana", "password": "wrong", "next": "/device"})
    shown = text(answer)
    assert "Handle and password do not fit, or the user was deactivated." in shown
    assert 'value="ana"' in shown
    assert 'value="/device"' in shown
    assert "wrong" not in shown


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org/", "//evil.example.org", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere_after_signing_in(ana, elsewhere):
    answer = Client().post("/sign-in", {"login": "ana", "password": PASSWORD, "next": elsewhere})
    assert answer["Location"] == "/"


def test_a_deactivated_user_is_told_the_same_as_by_a_wrong_password(ana):
    User.objects.update(is_active=False)
    shown = text(Client().post("/sign-in", {"login": "ana", "password": PASSWORD}))
    assert "Handle and password do not fit, or the user was deactivated." in shown


def test_an_address_that_leads_nowhere_shows_a_page_with_a_way_back(browser):
    for client in (browser, Client()):
        nowhere = client.get("/projects/1")
        assert nowhere.status_code == 404
        assert "There is nothing here" in text(nowhere)


def test_the_start_page_is_the_admin_site_for_staff_and_the_account_for_others(ana, browser):
    assert browser.get("/")["Location"] == "/account"
    assert Client().get("/")["Location"] == "/sign-in"
    User.objects.update(is_staff=True)
    assert browser.get("/")["Location"] == "/admin/"


def test_the_admin_site_has_no_other_sign_in_page_and_tells_who_is_no_staff(ana, browser):
    sent = Client().get("/admin/", follow=True)
    assert sent.redirect_chain[-1][0] == "/sign-in?next=%2Fadmin%2F"
    refused = browser.get("/admin/", follow=True)
    assert refused.status_code == 403
    assert "for platform staff" in text(refused)
    User.objects.update(is_staff=True)
    assert browser.get("/admin/login/?next=/admin/")["Location"] == "/admin/"


def test_signing_out_asks_by_link_and_ends_the_session_by_form(browser):
    assert "Sign out?" in text(browser.get("/sign-out"))
    assert browser.get("/account").status_code == 200
    assert browser.post("/sign-out")["Location"] == "/sign-in"
    assert browser.get("/account").status_code == 302


def test_a_sign_in_is_recorded_and_the_first_is_noticed_once(ana, monkeypatch):
    from accounts.services import sign_ins

    first = []
    monkeypatch.setattr(sign_ins, "first_sign_in", lambda *, user, now: first.append(user.handle))
    sign_in()
    sign_in()
    sign_in_note(user=ana, now=timezone.now())
    assert first == ["ana"]
    event = AuditEvent.objects.filter(action="sign-in")[0]
    assert (event.actor, event.address, event.details) == (
        "ana",
        "127.0.0.1",
        {"by": "password", "second_factor": False},
    )


def test_the_name_is_changed_and_the_address_is_not(browser, ana):
    browser.post("/account", {"name": "Ana B.", "email": "other@example.org", "handle": "other"})
    ana.refresh_from_db()
    assert (ana.name, ana.email, ana.handle) == ("Ana B.", "", "ana")
    too_long = browser.post("/account", {"name": "x" * 151})
    assert 'aria-invalid="true"' in text(too_long)


def test_another_password_ends_the_other_sessions_and_not_this_one(browser, ana):
    other = sign_in()
    new = "another-horse-battery"
    answer = browser.post("/account/password", {"current": PASSWORD, "new": new, "again": new})
    assert answer["Location"] == "/account"
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 302
    assert text(browser.get("/account/sessions")).count('name="session"') == 1
    assert sign_in(password=new).get("/account").status_code == 200


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"current": "wrong", "new": "another-horse-battery", "again": "another-horse-battery"}, "present password"),
        ({"current": PASSWORD, "new": "another-horse-battery", "again": "different"}, "differ"),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "at least 12 characters"),
    ],
)
def test_a_password_that_cannot_be_is_refused_at_its_field_and_never_shown(browser, ana, fields, said):
    shown = text(browser.post("/account/password", fields))
    assert said in shown
    assert not any(f'value="{value}"' in shown for value in fields.values())
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_present_passwords_are_tried_only_so_often(browser, ana, settings):
    settings.SIGN_IN_RATE = "3/min"
    fields = {"new": "another-horse-battery", "again": "another-horse-battery"}
    for _ in range(3):
        browser.post("/account/password", {"current": "wrong", **fields})
    assert "Too many tries" in text(browser.post("/account/password", {"current": PASSWORD, **fields}))


def test_sessions_are_listed_and_one_that_is_ended_can_do_nothing_at_once(browser, ana):
    other = sign_in(HTTP_USER_AGENT="curl/8", REMOTE_ADDR="203.0.113.4")
    shown = text(browser.get("/account/sessions"))
    assert "Firefox on Linux" in shown
    assert "203.0.113.4" in shown
    keys = re.findall(r'name="session" value="(\d+)"', shown)
    assert len(keys) == 2
    browser.post("/account/sessions", {"session": keys[1]})
    assert other.get("/account").status_code == 302
    assert browser.get("/account").status_code == 200
    assert AuditEvent.objects.get(action="user.session.revoke").details["address"] == "203.0.113.4"


def test_all_other_sessions_are_ended_together(browser, ana):
    others = [sign_in(), sign_in()]
    browser.post("/account/sessions", {"session": "others"})
    assert [each.get("/account").status_code for each in others] == [302, 302]
    assert browser.get("/account").status_code == 200


def test_nobody_ends_the_sessions_of_others(browser, ana):
    person("eve", password=PASSWORD)
    eve = sign_in("eve")
    key = re.findall(r'name="session" value="(\d+)"', text(browser.get("/account/sessions")))[0]
    eve.post("/account/sessions", {"session": key})
    for odd in ("", "x", "99999999", "-1", "²"):
        assert eve.post("/account/sessions", {"session": odd}).status_code == 302
    assert browser.get("/account").status_code == 200


def test_ones_own_session_is_ended_by_signing_out(browser):
    key = re.findall(r'name="session" value="(\d+)"', text(browser.get("/account/sessions")))[0]
    assert browser.post("/account/sessions", {"session": key})["Location"] == "/sign-out"


def test_a_session_says_when_it_was_used_last_without_writing_at_each_request(browser, django_assert_num_queries):
    from allauth.usersessions.models import UserSession
    from django.core.cache import caches
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    long_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(last_seen_at=long_ago)
    caches["default"].clear()
    browser.get("/account")
    assert UserSession.objects.get().last_seen_at > long_ago
    with CaptureQueriesContext(connection) as queries:
        browser.get("/account")
    assert not [each for each in queries if each["sql"].startswith("UPDATE")]


def test_a_token_is_made_shown_once_and_revoked(browser, ana):
    shown = text(browser.post("/account/tokens", {"name": "laptop", "days": "7"}))
    [token] = re.findall(r"mar_[a-z0-9]{8}_[A-Za-z0-9_-]{20,}", shown)
    canary(token, "a token made by the page")
    assert token not in text(browser.get("/account/tokens"))
    row = AccessToken.objects.get()
    assert timedelta(days=6) < row.expires_at - timezone.now() <= timedelta(days=7)
    assert Client(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/me").status_code == 200
    browser.post(f"/account/tokens/{row.pk}/revoke")
    assert Client(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/v1/me").status_code == 401
    assert "laptop</td>" not in text(browser.get("/account/tokens"))


def test_a_token_without_a_name_or_for_too_long_is_not_made(browser, settings):
    settings.ACCESS_TOKEN_MAXIMUM_SECONDS = 30 * 86400
    assert 'value="90"' not in text(browser.get("/account/tokens"))
    for fields in ({"name": "", "days": "7"}, {"name": "x", "days": "90"}, {"name": "x", "days": "soon"}):
        assert 'aria-invalid="true"' in text(browser.post("/account/tokens", fields))
    assert not AccessToken.objects.exists()


def test_nobody_revokes_the_tokens_of_others(browser, ana):
    browser.post("/account/tokens", {"name": "laptop", "days": "7"})
    person("eve", password=PASSWORD)
    sign_in("eve").post(f"/account/tokens/{AccessToken.objects.get().pk}/revoke")
    assert AccessToken.objects.get().revoked_at is None


@pytest.mark.parametrize(
    "address",
    [
        "/sign-out",
        "/account",
        "/account/password",
        "/account/sessions",
        "/account/tokens",
        "/account/second-factor/set-up",
    ],
)
def test_forms_need_their_csrf_token(ana, address):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert client.post(address, {}).status_code == 403


def test_what_somebody_calls_themselves_is_text_and_no_markup(browser):
    browser.post("/account", {"name": "<script>alert(1)</script>"})
    assert "<script>alert" not in text(browser.get("/account"))


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140 Safari/537.36", "Chrome on Windows"),
        ("curl/8.9", "curl"),
        ("", "unknown"),
        ("\x1b[31mevil", "?[31mevil"),
    ],
)
def test_browsers_are_named_in_words(user_agent, words):
    assert browser_words(user_agent) == words


def test_no_password_or_token_gets_into_the_log(ana, capfd):
    browser = sign_in()
    browser.post("/account/password", {"current": "typed-secret-one", "new": "typed-secret-two", "again": "x"})
    shown = text(browser.post("/account/tokens", {"name": "laptop", "days": "7"}))
    [token] = re.findall(r"mar_[a-z0-9]{8}_[A-Za-z0-9_-]{20,}", shown)
    said = "".join(capfd.readouterr())
    for secret in (PASSWORD, "typed-secret", token):
        assert secret not in said
