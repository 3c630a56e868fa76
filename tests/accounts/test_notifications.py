"""The inbox, what people choose, and mail through a real server: also one that goes away, and one that refuses."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Notification, NotificationDelivery
from accounts.notification_kinds import NOTIFICATION_KINDS, Channel
from accounts.services.delivering import mail_deliver
from accounts.services.notification_preferences import preference_update, preferences_of
from accounts.services.notifications import About, notification_send, notifications_remove
from tests.accounts.conftest import person, signed_in, world_make
from tests.accounts.mail_server import MailServer, mail_settings

NOW = timezone.now


def send(*people, kind="operation-failed", text="It could not be made. The quota is too small.", **fields):
    about = About(kind="virtual-cluster", id="01", name="acme/payments/hello")
    return notification_send(recipients=people, kind=kind, about=about, text=text, now=NOW(), **fields)


@pytest.fixture
def server(settings):
    running = MailServer()
    mail_settings(settings, running)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def ann(db):
    return person("ann", email="ann@example.org")


def deliver(**later: float) -> int:
    return mail_deliver(clock=lambda: NOW() + timedelta(**later))


# --- the inbox --------------------------------------------------------------------------------------------------------


def test_each_active_person_is_told_once_and_no_service_account_is(ann):
    gone, robot = person("gone"), person("robot")
    gone.is_active, robot.is_service_account = False, True
    assert [row.recipient for row in send(ann, ann, gone, robot)] == [ann]


def test_a_kind_that_is_not_in_the_table_is_refused(ann):
    with pytest.raises(ValueError, match="notification_kinds"):
        send(ann, kind="weather")
    assert not Notification.objects.exists()


def test_ones_own_inbox_is_listed_newest_first_filtered_and_read(ann):
    other = person("other")
    send(ann, text="First.")
    send(ann, text="Second.", link="/virtual-clusters/1", command="marina get hello")
    send(other, text="Not hers.")
    client = signed_in(ann)
    rows = client.get("/api/v1/notifications").json()["results"]
    assert [row["text"] for row in rows] == ["Second.", "First."]
    assert rows[0]["subject"] == {"kind": "virtual-cluster", "id": "01", "name": "acme/payments/hello"}
    assert (rows[0]["command"], rows[0]["read"]) == ("marina get hello", False)
    assert rows[0]["link"] == f"/account/notifications/{rows[0]['id']}", "Marina has no page of a cluster yet"
    assert rows[1]["link"] == ""
    address = f"/api/v1/notifications/{rows[0]['id']}"
    assert client.patch(address, {"read": True}, "json").json()["read"] is True
    unread = client.get("/api/v1/notifications?unread=true").json()["results"]
    assert [row["text"] for row in unread] == ["First."]
    assert client.post("/api/v1/notifications/read-all").json() == {"read": 1}
    assert client.get("/api/v1/notifications?unread=true").json()["results"] == []
    assert client.patch(address, {"read": False}, "json").json()["read_at"] is None
    assert client.patch(address, {"text": "x"}, "json").status_code == 400


def test_nobody_sees_or_reads_anothers_notifications(world, ann):
    (row,) = send(ann)
    for user in (world.olivia, world.staff):
        client = signed_in(user)
        assert client.get("/api/v1/notifications").json()["results"] == []
        assert client.get(f"/api/v1/notifications/{row.pk}").status_code == 404
        assert client.patch(f"/api/v1/notifications/{row.pk}", {"read": True}, "json").status_code == 404
        client.post("/api/v1/notifications/read-all")
    row.refresh_from_db()
    assert row.read_at is None


def test_the_inbox_costs_the_same_number_of_queries_however_full_it_is(ann, django_assert_max_num_queries):
    for _ in range(60):
        send(ann)
    client = signed_in(ann)
    client.get("/api/v1/me")
    with django_assert_max_num_queries(5):
        assert len(client.get("/api/v1/notifications?page_size=60").json()["results"]) == 60


def test_old_notifications_go(ann, settings):
    send(ann)
    assert notifications_remove(now=NOW() + timedelta(days=179)) == 0
    assert notifications_remove(now=NOW() + timedelta(days=181)) == 1


# --- preferences ------------------------------------------------------------------------------------------------------


def test_every_kind_has_a_sentence_and_comes_to_the_inbox_unless_somebody_chose_otherwise(ann):
    client = signed_in(ann)
    rows = client.get("/api/v1/notification-preferences").json()["results"]
    assert [row["kind"] for row in rows] == list(NOTIFICATION_KINDS)
    assert all(row["tells"].endswith(".") and row["inbox"] for row in rows)
    assert {row["mail"] for row in rows} == {True, False}


def test_what_somebody_chooses_holds_for_them_alone_and_can_be_changed_back(ann):
    other = person("other")
    client = signed_in(ann)
    address = "/api/v1/notification-preferences/operation-failed"
    changed = client.patch(address, {"mail": False, "inbox": False}, "json").json()
    assert (changed["mail"], changed["inbox"]) == (False, False)
    assert all(each.inbox for each in preferences_of(other))
    hers, theirs = send(ann, other)
    assert hers.read_at is not None, "kept, as read"
    assert theirs.read_at is None
    assert client.patch(address, {"inbox": True}, "json").json()["inbox"] is True
    assert send(ann)[0].read_at is None


def test_kinds_and_channels_that_are_not_there_are_refused(ann):
    client = signed_in(ann)
    assert client.patch("/api/v1/notification-preferences/weather", {"mail": True}, "json").status_code == 404
    address = "/api/v1/notification-preferences/break-glass"
    assert client.patch(address, {"pigeon": True}, "json").status_code == 400
    assert client.patch(address, {"mail": "perhaps"}, "json").status_code == 400


# --- mail -------------------------------------------------------------------------------------------------------------


def test_a_mail_has_subject_text_html_and_absolute_links(ann, server):
    send(ann, text="It failed: <b>a & b</b>.", link="/virtual-clusters/1", command="marina op retry 1 && echo 'done'")
    assert deliver() == 1
    (mail,) = server.mails
    assert mail["Subject"] == "[Marina] acme/payments/hello: An operation failed"
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (
        "ann@example.org",
        "marina@example.org",
        "auto-generated",
    )
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "It failed: <b>a & b</b>." in plain
    page = f"https://marina.example.org/account/notifications/{Notification.objects.get().pk}"
    assert f"See it: {page}" in plain, "an object without a page of its own is told of on the notification's"
    assert "Next: marina op retry 1 && echo 'done'" in plain
    assert "marina inbox prefer operation-failed mail off" in plain
    assert "&lt;b&gt;a &amp; b&lt;/b&gt;" in html
    assert f'href="{page}"' in html
    row = NotificationDelivery.objects.get()
    assert row.state == "sent"
    assert row.sent_at
    shown = signed_in(ann).get("/api/v1/notifications").json()["results"][0]["channels"]
    assert [(each["channel"], each["state"]) for each in shown] == [("mail", "sent")]


def test_a_name_with_a_line_break_cannot_add_a_header(ann, server):
    about = About(kind="virtual-cluster", id="1", name="x\r\nBcc: everybody@example.org")
    notification_send(recipients=[ann], kind="break-glass", about=about, text="Hm.", now=NOW())
    deliver()
    assert server.mails[0]["Bcc"] is None
    assert "Bcc: everybody" in server.mails[0]["Subject"]


def test_there_is_no_mail_without_an_address_a_server_or_the_wish_for_it(ann, server, settings):
    send(person("no-address"))
    preference_update(user=ann, kind=NOTIFICATION_KINDS["operation-failed"], mail=False)
    send(ann)
    assert Channel.MAIL not in NOTIFICATION_KINDS["invitation-accepted"].channels
    send(ann, kind="invitation-accepted")
    settings.EMAIL_HOST = ""
    send(ann, kind="break-glass")
    assert not NotificationDelivery.objects.exists()
    assert deliver() == 0


def test_mail_to_a_server_that_is_away_comes_when_it_is_back(ann, server):
    server.stop()
    send(ann)
    send(ann)
    assert deliver() == 2
    row = NotificationDelivery.objects.order_by("id")[0]
    assert (row.state, row.attempts) == ("pending", 1)
    assert "cannot be reached" in row.error
    assert deliver() == 0, "it waits a minute"
    server.start()
    assert deliver(minutes=1.1) == 2
    assert len(server.mails) == 2
    assert server.connections == 1
    assert set(NotificationDelivery.objects.values_list("state", "error")) == {("sent", "")}


def test_a_server_that_stays_away_is_tried_for_a_day(ann, server):
    server.stop()
    send(ann)
    tried, hours = 0, 0.0
    while NotificationDelivery.objects.get().state == "pending":
        tried += deliver(hours=hours)
        hours += 0.02
        assert hours < 30
    assert NotificationDelivery.objects.get().state == "failed"
    assert 10 < tried < 30


def test_a_recipient_that_is_refused_for_good_holds_up_no_other(ann, server):
    bob, cleo = person("bob", email="bob@example.org"), person("cleo", email="cleo@example.org")
    server.refused = {"bob@example.org": "550 No such user", "cleo@example.org": "451 Try later"}
    send(bob, cleo, ann)
    assert deliver() == 3
    assert [mail["To"] for mail in server.mails] == ["ann@example.org"]
    states = dict(NotificationDelivery.objects.values_list("notification__recipient__handle", "state"))
    assert states == {"ann": "sent", "bob": "failed", "cleo": "pending"}
    server.refused = {}
    assert deliver(minutes=2) == 1
    assert server.mails[-1]["To"] == "cleo@example.org"


def test_who_was_deactivated_meanwhile_gets_no_mail(ann, server):
    send(ann)
    ann.is_active = False
    ann.save()
    deliver()
    assert server.mails == []
    assert NotificationDelivery.objects.get().state == "skipped"


def test_one_that_was_killed_while_sending_is_followed_by_another_with_the_same_message_id(ann, server):
    class Killed(BaseException):
        pass

    calls = iter([NOW() + timedelta(seconds=1)])

    def clock():
        try:
            return next(calls)
        except StopIteration:
            raise Killed from None

    send(ann)
    with pytest.raises(Killed):
        mail_deliver(clock=clock)
    assert deliver() == 0
    assert deliver(minutes=11) == 1
    assert len({mail["Message-ID"] for mail in server.mails}) == 1
    assert len(server.mails) == 2


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_send_each_mail_once(server):
    world_make()
    people = [person(f"p-{number}", email=f"p{number}@example.org") for number in range(30)]
    send(*people)
    barrier = threading.Barrier(2)

    def job() -> None:
        barrier.wait()
        while deliver():
            pass
        connection.close()

    threads = [threading.Thread(target=job) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(mail["To"] for mail in server.mails) == sorted(user.email for user in people)
