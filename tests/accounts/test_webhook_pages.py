"""Webhooks as pages: made, tried, changed, switched and deleted by who may change their organization or project."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEvent, Webhook, WebhookDelivery
from accounts.services.webhooks import webhook_create
from accounts.webhook_event_types import EVENT_TYPES
from accounts.webhook_secrets import secret_decrypt
from tests.accounts.conftest import MARINA, give, person
from tests.canaries import canary

URL = "https://hooks.example.com/marina"


def text(answer) -> str:
    return str(answer.content.decode())


def browser_of(user, **options) -> Client:
    browser = Client(**options)
    browser.force_login(user)
    return browser


@pytest.fixture
def olivia(world) -> Client:
    return browser_of(world.olivia)


@pytest.fixture
def hook(world) -> Webhook:
    made = webhook_create(
        actor=MARINA, organization=world.acme, url=URL, events=["operation.*"], description="chat-of-ops"
    )
    canary(made.secret, "a webhook's secret")
    return made.webhook


def address(hook, rest="") -> str:
    return f"/webhooks/{hook.pk}{rest}"


def test_one_is_made_and_its_secret_is_shown_once(world, olivia):
    fields = {"of": "acme", "url": URL, "description": "chat", "events": ["operation.*", "role.given"]}
    shown = olivia.post("/webhooks/new", fields)
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", text(shown))
    canary(secret, "a webhook's secret")
    row = Webhook.objects.get()
    assert secret_decrypt(row.secret) == secret
    assert (row.organization, row.project, row.events) == (world.acme, None, ["operation.*", "role.given"])
    assert "no-store" in shown["Cache-Control"]
    for page in ("/webhooks", address(row), address(row, "/edit")):
        assert secret not in text(olivia.get(page)), page


def test_one_of_a_project_is_made_by_its_admin(world):
    ada = person("ada")
    give(ada, "admin", world.payments)
    browser = browser_of(ada)
    assert 'value="acme/payments"' in text(browser.get("/webhooks/new")), "the only place is filled in"
    browser.post("/webhooks/new", {"of": "acme/payments", "url": URL, "events": ["*"]})
    assert Webhook.objects.get().project == world.payments
    for foreign in ("acme", "acme/search", "globex/payments", "nothing", "a/b/c", "\0"):
        refused = text(browser.post("/webhooks/new", {"of": foreign, "url": URL, "events": ["*"]}))
        assert 'aria-invalid="true"' in refused, foreign
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "http://example.org"}, "https addresses only"),
        ({"url": "https://127.0.0.1/x"}, "loopback"),
        ({"events": []}, "Choose at least one event"),
        ({"events": ["weather.fine"]}, "weather.fine is not one of the available choices"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_and_keeps_the_rest(world, olivia, fields, said):
    shown = text(olivia.post("/webhooks/new", {"of": "acme", "url": URL, "events": ["role.given"], **fields}))
    assert said in shown
    assert 'value="acme"' in shown
    assert not Webhook.objects.exists()


def test_every_event_can_be_chosen(world, olivia):
    shown = text(olivia.get("/webhooks/new"))
    for name in EVENT_TYPES:
        assert (f'value="{name}"' in shown) == (name != "webhook.ping"), name


def test_it_is_changed_and_what_was_chosen_is_checked(world, olivia, hook):
    shown = text(olivia.get(address(hook, "/edit")))
    assert 'value="operation.*" checked' in shown
    olivia.post(address(hook, "/edit"), {"url": URL + "/2", "description": "", "events": ["*"]})
    hook.refresh_from_db()
    assert (hook.url, hook.description, hook.events) == (URL + "/2", "", ["*"])
    refused = olivia.post(address(hook, "/edit"), {"url": "x", "events": ["*"]})
    assert 'aria-invalid="true"' in text(refused)


def test_a_test_makes_a_delivery_and_leads_to_it(world, olivia, hook):
    sent = olivia.post(address(hook, "/try"))
    made = WebhookDelivery.objects.get()
    assert made.type == "webhook.ping"
    assert sent["Location"] == address(hook, f"/deliveries/{made.pk}")
    shown = text(olivia.get(sent["Location"]))
    assert "on its way" in shown
    assert "Look again" in shown
    assert "asked_by" in shown


def test_switched_off_it_says_so_and_cannot_be_tried(world, olivia, hook):
    olivia.post(address(hook, "/switch"), {"on": "0"})
    shown = text(olivia.get(address(hook)))
    assert "Switched off by olivia." in shown
    assert re.search(r"<button[^>]*disabled[^>]*>Send a test", shown)
    assert "no test can be sent" in shown, "the reason is text"
    refused = olivia.post(address(hook, "/try"))
    assert refused.status_code == 409
    assert "The webhook is off" in text(refused)
    olivia.post(address(hook, "/switch"), {"on": "1"})
    hook.refresh_from_db()
    assert hook.enabled


def test_the_log_shows_each_delivery_is_filtered_and_sends_one_again(world, olivia, hook):
    olivia.post(address(hook, "/try"))
    row = WebhookDelivery.objects.get()
    WebhookDelivery.objects.update(
        state="Failed", next_attempt_at=None, attempts=9, status=500, error="The receiver answered 500.", answer="<b>no"
    )
    shown = text(olivia.get(address(hook)))
    assert "The receiver answered 500." in shown
    assert "webhook.ping" in text(olivia.get(address(hook, "?state=Failed")))
    assert "No delivery is in this state" in text(olivia.get(address(hook, "?state=Delivered")))
    one = text(olivia.get(address(hook, f"/deliveries/{row.pk}")))
    assert "&lt;b&gt;no" in one
    olivia.post(address(hook, f"/deliveries/{row.pk}/again"))
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("Pending", 0)
    assert AuditEvent.objects.filter(action="webhook.redeliver", source="web").count() == 1


def test_a_new_secret_is_shown_once_and_the_one_before_still_signs(world, olivia, hook):
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", text(olivia.post(address(hook, "/secret"))))
    canary(secret, "a webhook's secret")
    hook.refresh_from_db()
    assert secret_decrypt(hook.secret) == secret
    assert "signs as well until" in text(olivia.get(address(hook)))
    assert olivia.get(address(hook, "/secret")).status_code == 405, "a link changes nothing"


def test_deleting_says_first_what_goes_and_what_stays(world, olivia, hook):
    olivia.post(address(hook, "/try"))
    asked = text(olivia.get(address(hook, "/delete")))
    assert "the log of 1 delivery." in asked
    assert "1 of them waits" in asked
    assert "cannot be brought back" in asked
    assert Webhook.objects.count() == 1
    assert "The webhook chat-of-ops was deleted." in text(olivia.post(address(hook, "/delete"), follow=True))
    assert not Webhook.objects.exists()


def test_to_everybody_else_it_is_not_there(world, hook):
    vera = person("vera")
    give(vera, "developer", world.payments)
    for user in (vera, world.greta, world.staff):
        browser = browser_of(user)
        assert "chat-of-ops" not in text(browser.get("/webhooks"))
        for rest in ("", "/edit", "/delete"):
            assert browser.get(address(hook, rest)).status_code == 404
        for rest in ("/try", "/switch", "/secret", "/delete", "/edit"):
            assert browser.post(address(hook, rest), {"url": URL, "events": ["*"]}).status_code == 404, rest
    hook.refresh_from_db()
    assert hook.enabled
    assert not hook.deliveries.exists()


def test_a_delivery_is_found_below_its_own_webhook_only(world, olivia, hook):
    olivia.post(address(hook, "/try"))
    other = webhook_create(actor=MARINA, organization=world.acme, url=URL, events=["*"]).webhook
    row = WebhookDelivery.objects.get()
    assert olivia.get(address(other, f"/deliveries/{row.pk}")).status_code == 404


def test_lists_cost_the_same_with_many_rows(world, olivia, hook, django_assert_max_num_queries):
    now = timezone.now()
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(webhook=hook, event_id=f"e{n}", type="role.given", source=str(n), payload={}, tried_from=now)
        for n in range(200)
    )
    Webhook.objects.bulk_create(
        Webhook(organization=world.acme, project=world.payments, url=URL, events=["*"], secret=b"x") for _ in range(60)
    )
    olivia.get("/webhooks")
    for page in ("/webhooks", address(hook)):
        with django_assert_max_num_queries(12):
            assert "Page 1 of" in text(olivia.get(page))


def test_filters_name_the_organizations_and_stay_in_the_address(world, hook):
    give(world.olivia, "admin", world.globex)
    webhook_create(actor=MARINA, organization=world.globex, url=URL, events=["*"], description="theirs")
    browser = browser_of(world.olivia)
    assert 'href="/webhooks?organization=globex"' in text(browser.get("/webhooks"))
    shown = text(browser.get("/webhooks?organization=globex"))
    assert "theirs" in shown
    assert ">chat-of-ops<" not in shown


@pytest.mark.parametrize("rest", ["/try", "/switch", "/secret", "/delete", "/edit"])
def test_forms_need_their_csrf_token(world, hook, rest):
    assert browser_of(world.olivia, enforce_csrf_checks=True).post(address(hook, rest)).status_code == 403
