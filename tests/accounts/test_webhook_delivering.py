"""Deliveries are signed, come at least once under one id, are tried for a day, and no receiver holds up others."""

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, Notification, NotificationDelivery, Webhook, WebhookDelivery
from accounts.outgoing_requests import Answer
from accounts.services.notification_events import notification_events_publish
from accounts.services.notifications import About, notification_send
from accounts.services.webhook_delivering import Postman, Sending, webhook_deliveries_remove
from accounts.services.webhooks import webhook_redeliver, webhook_secret_rotate, webhook_update
from accounts.webhook_transport import Transport
from tests.accounts.conftest import MARINA, world_make
from tests.accounts.receiver import Receiver, Say
from tests.accounts.webhook_making import deliver, happened, in_time, the_delivery, webhook_for


@pytest.fixture(autouse=True)
def _loopback(settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_TIMEOUT_SECONDS = 2.0


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@pytest.fixture
def made(world, receiver):
    return webhook_for(world.acme, receiver.url)


# --- what comes -------------------------------------------------------------------------------------------------------


def test_an_event_comes_signed_so_that_the_receivers_library_takes_it(world, receiver, made):
    event_id = happened(world.acme)
    assert deliver() == 1
    (got,) = receiver.received
    payload = got.verified(made.secret)
    assert (got.id, got.path, got.headers["content-type"]) == (event_id, "/hook?of=marina", "application/json")
    assert list(payload) == ["type", "timestamp", "data"]
    assert (payload["type"], payload["data"]) == ("role.given", {"number": 1})
    row = the_delivery(made.webhook)
    assert (row.state, row.status, row.attempts, row.error) == ("Delivered", 204, 1, "")
    assert row.delivered_at
    assert deliver(at=in_time(days=2)) == 0


def test_after_a_rotation_both_secrets_are_good_for_a_day_and_then_the_new_one_only(world, receiver, made):
    rotated = webhook_secret_rotate(actor=MARINA, webhook=made.webhook, now=timezone.now())
    assert rotated.secret != made.secret
    happened(world.acme)
    deliver()
    assert receiver.received[0].verified(made.secret) == receiver.received[0].verified(rotated.secret)
    Webhook.objects.update(previous_until=timezone.now())
    happened(world.acme)
    deliver()
    assert receiver.received[1].verified(rotated.secret)
    with pytest.raises(Exception, match="No matching signature"):
        receiver.received[1].verified(made.secret)


def test_events_come_in_their_order(world, receiver, made):
    for number in range(5):
        happened(world.acme, number)
    assert deliver() == 5
    assert [got.verified(made.secret)["data"]["number"] for got in receiver.received] == list(range(5))


def test_only_what_was_subscribed_to_comes_and_a_ping_always(world, receiver):
    made = webhook_for(world.acme, receiver.url, events=["operation.*", "role.taken"])
    for kind in ("role.given", "role.taken", "operation.failed", "virtual-cluster.ready", "webhook.ping"):
        happened(world.acme, event_type=kind)
    deliver()
    came = [got.verified(made.secret)["type"] for got in receiver.received]
    assert came == ["role.taken", "operation.failed", "webhook.ping"]


def test_a_projects_webhook_is_told_of_its_project_only(world, receiver, made):
    own = webhook_for(world.acme, receiver.url, project=world.payments)
    foreign = webhook_for(world.globex, receiver.url)
    happened(world.acme, project_id=world.payments.pk)
    happened(world.acme, project_id=world.search.pk)
    happened(world.acme)
    counts = [WebhookDelivery.objects.filter(webhook=each.webhook).count() for each in (made, own, foreign)]
    assert counts == [3, 1, 0]


# --- when it fails ----------------------------------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_again_with_growing_pauses_for_a_day_and_then_given_up(world, receiver, made):
    receiver.says(503, b"later")
    happened(world.acme)
    start = timezone.now()
    now, times = start, []
    while (row := the_delivery(made.webhook)).state == "Pending":
        assert row.next_attempt_at is not None
        now = max(row.next_attempt_at, now)
        times.append((now - start).total_seconds())
        assert deliver(at=now) == 1
    assert row.state == "Failed"
    assert row.error == "The receiver answered 503."
    assert row.answer == "later"
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert 4 <= pauses[0] <= 6.1
    assert all(later > sooner for sooner, later in pairwise(pauses[:7]))
    assert 10 <= len(times) <= 16
    assert 60_000 < times[-1] <= 86_400
    assert len({got.id for got in receiver.received}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.received}) > 5


def test_a_success_after_failures_clears_what_was_said_of_the_webhook(world, receiver, made):
    receiver.says(500)
    happened(world.acme)
    deliver()
    assert Webhook.objects.get().failing_since is not None
    receiver.says(200)
    assert deliver(at=in_time(seconds=10)) == 1
    assert Webhook.objects.get().failing_since is None
    assert the_delivery(made.webhook).state == "Delivered"


def test_a_receiver_that_asks_for_a_longer_pause_gets_it(world, receiver, made):
    receiver.says(429, Retry_After="3600")
    happened(world.acme)
    now = timezone.now()
    deliver(at=now)
    assert the_delivery(made.webhook).next_attempt_at == now + timedelta(hours=1)


def test_a_redirect_is_a_failure_and_is_not_followed(world, receiver, made):
    with Receiver() as elsewhere:
        receiver.says(307, Location=elsewhere.url)
        happened(world.acme)
        deliver()
        assert elsewhere.received == []
    assert the_delivery(made.webhook).error == "The receiver redirects (307); redirects are not followed."


def test_410_switches_the_webhook_off_at_once_and_tells_the_admins(world, receiver, made):
    receiver.says(410)
    happened(world.acme)
    happened(world.acme)
    deliver()
    webhook = Webhook.objects.get()
    assert (webhook.enabled, webhook.disabled_reason) == (False, "The receiver says that it is gone (410).")
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"Failed"}
    told = Notification.objects.get()
    assert (told.recipient, told.kind) == (world.olivia, "webhook-disabled")
    assert told.command == f"marina webhook enable {webhook.pk}"
    assert AuditEvent.objects.filter(action="webhook.disable", actor="marina").exists()
    happened(world.acme)
    assert WebhookDelivery.objects.count() == 2, "what happens while it is off is not kept"


def test_after_five_days_without_a_success_it_is_switched_off(world, receiver, made):
    receiver.says(500)
    happened(world.acme)
    deliver()
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=5))
    happened(world.acme)
    deliver(at=in_time(seconds=1))
    webhook = Webhook.objects.get()
    assert not webhook.enabled
    assert "Nothing was delivered since" in webhook.disabled_reason


def test_after_a_day_without_a_success_many_events_that_were_given_up_are_enough(world, receiver, made, settings):
    settings.WEBHOOK_DISABLE_EVENTS = 3
    receiver.says(500)
    Webhook.objects.update(failing_since=timezone.now() - timedelta(hours=25))
    for _ in range(2):
        happened(world.acme)
    WebhookDelivery.objects.update(tried_from=timezone.now() - timedelta(hours=24))
    deliver()
    deliver()
    assert Webhook.objects.get().enabled, "two are not three"
    happened(world.acme)
    WebhookDelivery.objects.filter(state="Pending").update(tried_from=timezone.now() - timedelta(hours=24))
    deliver()
    assert not Webhook.objects.get().enabled


def test_one_that_is_switched_on_again_begins_anew_and_what_it_missed_can_be_sent_once_more(world, receiver, made):
    receiver.says(410)
    event_id = happened(world.acme)
    deliver()
    receiver.says(204)
    webhook_update(actor=MARINA, webhook=made.webhook, enabled=True)
    assert Webhook.objects.get().disabled_reason == ""
    webhook_redeliver(actor=MARINA, delivery=the_delivery(Webhook.objects.get()), now=timezone.now())
    deliver()
    assert [got.id for got in receiver.received] == [event_id, event_id]
    assert the_delivery(made.webhook).state == "Delivered"


# --- what is kept of answers ------------------------------------------------------------------------------------------


def test_of_an_answer_a_bounded_beginning_is_kept_without_the_secret_and_without_what_no_text_has(
    world, receiver, made
):
    receiver.says(400, f"\0no: {made.secret} {made.secret[6:]} ".encode() + b"\xff" + b"x" * 200_000)
    happened(world.acme)
    deliver()
    kept = the_delivery(made.webhook).answer
    assert kept.startswith("no: [secret] [secret]")
    assert len(kept) <= 1000


def test_a_receiver_that_says_nothing_in_time_is_a_failure(world, receiver, made, settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.3
    over = threading.Event()
    receiver.answer = lambda _: Say(before=waits_for(over))
    happened(world.acme)
    deliver()
    over.set()
    assert the_delivery(made.webhook).error == "The receiver did not answer in time."


def test_one_that_answers_for_ever_is_a_failure_after_twice_that_time(world, made, settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = 0.4
    with Dripping() as drip:
        Webhook.objects.update(url=drip.url)
        happened(world.acme)
        began = timezone.now()
        deliver()
    assert (timezone.now() - began).total_seconds() < 5
    assert the_delivery(made.webhook).error == "The receiver did not answer in time."


class Dripping:
    """Sends a byte of an endless header every tenth of a second."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._over = threading.Event()

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._socket.close()

    def _serve(self) -> None:
        peer, _ = self._socket.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not self._over.wait(0.1):
                try:
                    peer.sendall(b"y")
                except OSError:
                    return


# --- several at once --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As if the process ended here."""


class KilledAfterSending(Transport):
    def post(self, url, *, body, headers) -> Answer:
        super().post(url, body=body, headers=headers)
        raise Killed


def test_one_killed_between_sending_and_noting_it_is_followed_by_another_with_the_same_id(world, receiver, made):
    event_id = happened(world.acme)
    with pytest.raises(Killed):
        deliver(transport=KilledAfterSending())
    assert deliver() == 0, "the claim still holds"
    assert deliver(at=in_time(minutes=3)) == 1
    assert [got.id for got in receiver.received] == [event_id, event_id]
    assert the_delivery(made.webhook).state == "Delivered"


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_send_once_and_never_two_requests_to_one_webhook(receiver):
    world = world_make()
    made = webhook_for(world.acme, receiver.url)
    at_once, most, lock = [0], [0], threading.Lock()

    def counted() -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.01)
        with lock:
            at_once[0] -= 1

    receiver.answer = lambda _: Say(before=counted)
    for number in range(30):
        happened(world.acme, number)
    postmen = [Postman(), Postman()]
    barrier = threading.Barrier(2)

    def go_round(postman: Postman) -> None:
        barrier.wait()
        while WebhookDelivery.objects.filter(state="Pending").exists():
            postman.round()
            postman.wait()
        connection.close()

    threads = [threading.Thread(target=go_round, args=(each,)) for each in postmen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for postman in postmen:
        postman.close()
    assert [got.verified(made.secret)["data"]["number"] for got in receiver.received] == list(range(30))
    assert most[0] == 1


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_holds_up_nobody_else(receiver):
    world = world_make()
    released, postman = threading.Event(), Postman(Sending())
    with Receiver() as slow:
        slow.answer = lambda _: Say(before=waits_for(released))
        stuck, quick = webhook_for(world.acme, slow.url), webhook_for(world.acme, receiver.url)
        happened(world.acme, 1)
        assert postman.round() == 2
        until(lambda: the_delivery(quick.webhook).state == "Delivered")
        until(lambda: given_back(quick.webhook))
        happened(world.acme, 2)
        assert postman.round() == 1, "the slow one is still served by the first round"
        until(lambda: quick.webhook.deliveries.filter(state="Delivered").count() == 2)
        assert stuck.webhook.deliveries.filter(state="Pending").count() == 2
        released.set()
        postman.wait()
    postman.close()


def given_back(webhook: Webhook) -> bool:
    """Nobody serves it: a round may claim it again."""
    return Webhook.objects.filter(pk=webhook.pk, busy_until__lte=timezone.now()).exists()


def waits_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        event.wait(20)

    return wait


def until(condition) -> None:
    deadline = timezone.now() + timedelta(seconds=15)
    while not condition():
        assert timezone.now() < deadline, "it did not come"
        threading.Event().wait(0.02)


def test_deliveries_are_kept_for_thirty_days(world, receiver, made):
    happened(world.acme)
    assert webhook_deliveries_remove(now=in_time(days=29)) == 0
    assert webhook_deliveries_remove(now=in_time(days=31)) == 1


def test_a_notification_is_told_to_webhooks_once_for_all_who_get_it_and_notes_when(world, receiver, made):
    rows = notification_send(
        recipients=[world.olivia, world.greta],
        kind="break-glass",
        about=About(kind="organization", id=world.acme.pk, name="acme", organization_id=world.acme.pk),
        text="Somebody came in.",
        now=timezone.now(),
        link="/organizations/acme",
    )
    assert len(rows) == 2
    assert [notification_events_publish(now=timezone.now()) for _ in range(2)] == [1, 0]
    assert deliver() == 1
    payload = receiver.received[0].verified(made.secret)
    assert payload["type"] == "notification.break-glass"
    assert {each["handle"] for each in payload["data"]["recipients"]} == {"olivia", "greta"}
    assert payload["data"]["link"] == "", "no link leads to a page that is not there"
    sent = NotificationDelivery.objects.filter(channel="webhook", state="sent")
    assert sent.exclude(sent_at=None).count() == 2


def test_a_notification_about_a_project_goes_to_its_webhook_and_to_no_other_projects(world, receiver):
    own = webhook_for(world.acme, receiver.url, project=world.payments, events=["notification.join-request"])
    other = webhook_for(world.acme, receiver.url, project=world.search)
    for project, kind in ((world.payments, "join-request"), (world.payments, "break-glass"), (None, "join-request")):
        about = About(kind="project", id=project.pk if project else "x", name="p", organization_id=world.acme.pk)
        notification_send(recipients=[world.olivia], kind=kind, about=about, text="Hm.", now=timezone.now())
    assert notification_events_publish(now=timezone.now()) == 3
    counts = [WebhookDelivery.objects.filter(webhook=each.webhook).count() for each in (own, other)]
    assert counts == [1, 0]
    states = NotificationDelivery.objects.order_by("id").values_list("state", flat=True)
    assert list(states) == ["pending", "skipped", "skipped"]


def test_without_a_webhook_that_wants_it_a_notification_makes_no_row_for_one(world, receiver):
    webhook_for(world.globex, receiver.url)
    webhook_for(world.acme, receiver.url, events=["role.*"])
    about = About(kind="organization", id=world.acme.pk, name="acme", organization_id=world.acme.pk)
    notification_send(recipients=[world.olivia], kind="break-glass", about=about, text="Hm.", now=timezone.now())
    assert not NotificationDelivery.objects.exists()
