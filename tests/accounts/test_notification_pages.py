"""The inbox and the choice of what comes, as pages: the same rows and services as the API's."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Notification, NotificationPreference, User
from accounts.notification_kinds import NOTIFICATION_KINDS
from accounts.services.notification_preferences import preference_update, preferences_of
from accounts.services.notifications import About, notification_send
from tests.accounts.conftest import person

INBOX = "/account/notifications"


def send(*people, kind="operation-failed", text="It could not be made.", ago=0, **fields) -> list[Notification]:
    about = About(kind="virtual-cluster", id="01", name="acme/payments/hello")
    now = timezone.now()
    rows = notification_send(recipients=people, kind=kind, about=about, text=text, now=now, **fields)
    made = {row.pk for row in rows}
    Notification.objects.filter(pk__in=made).update(created_at=now - timedelta(minutes=ago))
    return rows


@pytest.fixture
def ann(db) -> User:
    return person("ann", email="ann@example.org")


def browser_of(user: User, **options) -> Client:
    browser = Client(**options)
    browser.force_login(user)
    return browser


@pytest.fixture
def browser(ann) -> Client:
    return browser_of(ann)


def text(answer) -> str:
    return str(answer.content.decode())


def order(answer) -> list[str]:
    return re.findall(r'<p class="text">([A-Z]\w+)\.</p>', text(answer))


def test_an_empty_inbox_says_what_will_come(browser):
    assert "Your inbox is empty." in text(browser.get(INBOX))


def test_unread_comes_first_each_newest_first(browser, ann):
    for ago, words in ((1, "Newest."), (2, "Middle."), (3, "Oldest.")):
        send(ann, text=words, ago=ago)
    Notification.objects.filter(text="Newest.").update(read_at=timezone.now())
    assert order(browser.get(INBOX)) == ["Middle", "Oldest", "Newest"]


def test_every_page_of_ones_account_counts_what_is_unread(browser, ann):
    for _ in range(3):
        send(ann)
    assert '>3<span class="visually-hidden"> unread' in text(browser.get("/account"))
    browser.post(f"{INBOX}/{Notification.objects.all()[0].pk}/mark", {"read": "1"})
    assert '>2<span class="visually-hidden"> unread' in text(browser.get("/account/tokens"))
    browser.post(f"{INBOX}/read-all")
    assert "unread</span>" not in text(browser.get("/account"))
    Notification.objects.bulk_create(Notification(recipient=ann, kind="x", text="x") for _ in range(101))
    assert ">99+<" in text(browser.get("/account"))


def test_marking_one_leads_back_to_where_one_was_and_nowhere_else(browser, ann):
    (row,) = send(ann)
    back = browser.post(f"{INBOX}/{row.pk}/mark", {"read": "1", "next": f"{INBOX}?unread=1"})
    assert back["Location"] == f"{INBOX}?unread=1"
    row.refresh_from_db()
    assert row.read_at
    away = browser.post(f"{INBOX}/{row.pk}/mark", {"read": "0", "next": "https://evil.example.org/"})
    assert away["Location"] == INBOX
    row.refresh_from_db()
    assert row.read_at is None


def test_all_are_marked_at_once_and_how_many_is_said(browser, ann):
    other = person("other")
    send(ann, other)
    send(ann)
    assert "2 notifications marked as read." in text(browser.post(f"{INBOX}/read-all", follow=True))
    assert Notification.objects.get(recipient=other).read_at is None
    assert "Nothing was unread." in text(browser.post(f"{INBOX}/read-all", follow=True))


def test_it_is_filtered_by_kind_and_by_what_is_unread(browser, ann):
    send(ann, text="Failed.")
    send(ann, text="Asked.", kind="join-request")
    send(ann, text="Known.", kind="join-request")
    Notification.objects.filter(text="Known.").update(read_at=timezone.now())
    everything = text(browser.get(INBOX))
    assert f'href="{INBOX}?kind=join-request"' in everything
    assert order(browser.get(f"{INBOX}?kind=join-request")) == ["Asked", "Known"]
    both = browser.get(f"{INBOX}?kind=join-request&unread=1")
    assert order(both) == ["Asked"]
    assert f'href="{INBOX}?kind=join-request"' in text(both), "each filter can be taken out alone"
    assert "Nothing here fits." in text(browser.get(f"{INBOX}?kind=break-glass"))
    assert browser.get(f"{INBOX}?kind=%00&page=x").status_code == 200


def test_an_object_is_linked_where_it_has_a_page_and_its_command_is_shown_anyhow(browser, ann):
    send(ann, link="/virtual-clusters/01", command="marina op retry 1")
    send(ann, kind="webhook-disabled", link=f"/webhooks/{ann.pk}")
    shown = text(browser.get(INBOX))
    assert f'href="/webhooks/{ann.pk}"' in shown
    assert "/virtual-clusters/01" not in shown
    assert "<code>marina op retry 1</code>" in shown


def test_one_alone_tells_what_became_of_its_mail(browser, ann, settings):
    settings.EMAIL_HOST = "127.0.0.1"
    (row,) = send(ann)
    row.deliveries.update(state="failed", error="The mail server refused the recipient (550).")
    shown = text(browser.get(f"{INBOX}/{row.pk}"))
    assert "By mail" in shown
    assert "refused the recipient (550)" in shown
    row.refresh_from_db()
    assert row.read_at is None, "looking changes nothing"


def test_nobody_sees_or_marks_anothers(ann):
    (row,) = send(ann)
    eve = browser_of(person("eve"))
    assert "It could not be made" not in text(eve.get(INBOX))
    assert eve.get(f"{INBOX}/{row.pk}").status_code == 404
    assert eve.post(f"{INBOX}/{row.pk}/mark", {"read": "1"}).status_code == 404
    row.refresh_from_db()
    assert row.read_at is None


def test_a_long_inbox_comes_in_pages_at_the_same_cost(browser, ann, django_assert_max_num_queries):
    kinds = list(NOTIFICATION_KINDS)
    Notification.objects.bulk_create(
        Notification(recipient=ann, kind=kinds[number % 12], text=f"N{number}.") for number in range(5000)
    )
    browser.get(INBOX)
    with django_assert_max_num_queries(10):
        first = text(browser.get(INBOX))
    assert "Page 1 of 100" in first
    assert 'rel="prev"' not in first
    assert first.count('class="what"') == 50
    last = text(browser.get(f"{INBOX}?page=100&unread=1"))
    assert f"{INBOX}?page=99&amp;unread=1" in last
    assert 'rel="next"' not in last


def test_what_is_told_is_text_and_no_markup(browser, ann):
    send(ann, text="<script>alert(1)</script>", command="<b>")
    row = Notification.objects.get()
    for page in (INBOX, f"{INBOX}/{row.pk}"):
        assert "<script>alert" not in text(browser.get(page))


# --- preferences ------------------------------------------------------------------------------------------------------


def checked(answer) -> set[str]:
    return set(re.findall(r'name="([a-z.-]+)" aria-label="[^"]+" checked', text(answer)))


def test_the_choice_shows_every_kind_and_keeps_only_what_differs(browser, ann):
    page = f"{INBOX}/preferences"
    boxes = checked(browser.get(page))
    assert {f"{name}.inbox" for name in NOTIFICATION_KINDS} <= boxes
    chosen = dict.fromkeys(boxes - {"operation-failed.mail", "break-glass.inbox"}, "on")
    assert "Your choice is kept." in text(browser.post(page, chosen, follow=True))
    assert NotificationPreference.objects.count() == 2
    assert checked(browser.get(page)) == set(chosen)
    found = {each.kind.name: each for each in preferences_of(ann)}
    assert (found["operation-failed"].mail, found["break-glass"].inbox) == (False, False)
    assert "Nothing was changed." in text(browser.post(page, chosen, follow=True))


def test_it_says_why_no_mail_comes(browser, ann, settings):
    page = f"{INBOX}/preferences"
    settings.EMAIL_HOST = ""
    assert "This installation sends no mail." in text(browser.get(page))
    settings.EMAIL_HOST = "127.0.0.1"
    assert "no mail comes" not in text(browser.get(page))
    User.objects.update(email="")
    assert "Your account has no e-mail address" in text(browser.get(page))


def test_a_choice_made_elsewhere_is_shown(browser, ann):
    preference_update(user=ann, kind=NOTIFICATION_KINDS["created-by-ci"], mail=True)
    assert "created-by-ci.mail" in checked(browser.get(f"{INBOX}/preferences"))


@pytest.mark.parametrize("page", ["/read-all", "/preferences"])
def test_forms_need_their_csrf_token(ann, page):
    assert browser_of(ann, enforce_csrf_checks=True).post(INBOX + page).status_code == 403
