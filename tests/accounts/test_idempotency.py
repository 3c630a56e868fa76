"""A request with an Idempotency-Key acts once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, IdempotentRequest, Project
from accounts.services.idempotency import idempotent_requests_remove
from tests.accounts.conftest import give, person, signed_in, world_make
from tests.routes import routes

pytestmark = pytest.mark.urls("tests.accounts.probe_urls")
URL = "/api/probe/work"
HEADERS = ("Operation-Location", "Retry-After")


@pytest.fixture
def client(world):
    return signed_in(world.olivia)


def post(client, key, **body):
    return client.post(URL, body, format="json", HTTP_IDEMPOTENCY_KEY=key)


def test_the_same_key_and_body_get_the_same_answer_and_act_once(client):
    before = Project.objects.count()
    first = post(client, "k-1", note="a", other=1)
    again = client.post(URL, '{"other": 1, "note": "a"}', content_type="application/json", HTTP_IDEMPOTENCY_KEY="k-1")
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, first.json())
    assert [first[name] for name in HEADERS] == [again[name] for name in HEADERS]
    assert Project.objects.count() == before + 1
    assert AuditEvent.objects.filter(action="project.create", actor="olivia").count() == 1


def test_without_a_key_each_request_acts(client):
    before = Project.objects.count()
    client.post(URL, {}, format="json")
    client.post(URL, {}, format="json")
    assert Project.objects.count() == before + 2


def test_the_same_key_with_another_body_is_refused(client):
    post(client, "k-1", note="a")
    answer = post(client, "k-1", note="b")
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency-key-reused"
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_a_key_belongs_to_its_user(client, world):
    other = person("other")
    give(other, "admin", world.acme)
    assert post(client, "k-1").json() != post(signed_in(other), "k-1").json()


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "ä"])
def test_a_key_that_cannot_be_used_is_refused(client, key):
    answer = post(client, key)
    assert answer.status_code == 400
    assert "1 to 128" in answer.json()["errors"][0]["accepted"]


def test_a_refusal_is_not_kept(client):
    before = Project.objects.count()
    assert post(client, "k-1", name="payments").status_code == 409  # raised: the name is taken
    assert post(client, "k-2", name="new", refuse=True).status_code == 409  # answered: what it wrote is undone
    assert IdempotentRequest.objects.count() == 0
    assert Project.objects.count() == before
    assert post(client, "k-1", name="fresh").status_code == 202


def test_a_key_is_forgotten_after_a_day(client):
    first = post(client, "k-1").json()
    now = timezone.now()
    assert idempotent_requests_remove(now=now) == 0
    IdempotentRequest.objects.update(created_at=now - timedelta(hours=24, seconds=1))
    assert idempotent_requests_remove(now=now) == 1
    assert post(client, "k-1").json() != first


@pytest.mark.django_db(transaction=True)
def test_of_20_posts_at_once_one_acts_and_all_get_its_answer():
    world = world_make()
    clients = [signed_in(world.olivia) for _ in range(20)]
    before = Project.objects.count()
    barrier = Barrier(20)

    def run(client):
        barrier.wait(timeout=20)
        try:
            answer = post(client, "k-1", note="same")
            return answer.status_code, answer.content, *(answer[name] for name in HEADERS)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(run, clients))
    assert len(answers) == 1
    assert answers.pop()[0] == 202
    assert Project.objects.count() == before + 1


@pytest.mark.django_db(transaction=True)
def test_when_the_first_is_refused_the_next_in_line_acts():
    """Ten wait on the first one's row; it is rolled back; each then takes its own turn and is refused as well."""
    world = world_make()
    clients = [signed_in(world.olivia) for _ in range(10)]
    barrier = Barrier(10)

    def run(client):
        barrier.wait(timeout=20)
        try:
            return post(client, "k-1", name="payments").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(run, clients)) == {409}
    assert IdempotentRequest.objects.count() == 0


HOLDS_SECRET = "its answer holds a secret, which is not stored"
NOT_KEPT = {
    "POST access-tokens": HOLDS_SECRET,
    "POST service-accounts/{pk}/tokens": HOLDS_SECRET,
    "POST invitations": HOLDS_SECRET,
    "POST invitations/{pk}/resend": HOLDS_SECRET,
    "POST webhooks": HOLDS_SECRET,
    "POST webhooks/{pk}/rotate-secret": HOLDS_SECRET,
    "POST device-logins": HOLDS_SECRET,
    "POST device-logins/token": HOLDS_SECRET,
    "POST federated-tokens": HOLDS_SECRET,
    "POST second-factor/begin": HOLDS_SECRET,
    "POST second-factor/confirm": HOLDS_SECRET,
    "POST second-factor/recovery-codes": HOLDS_SECRET,
    "POST second-factor/turn-off": "it is asked with a password, of which no digest is stored",
    "POST second-factor/reset": "it is asked with a password, of which no digest is stored",
    "POST users": "it may be asked with a password, of which no digest is stored",
    "POST users/{pk}/password": "it is asked with a password, of which no digest is stored",
    "POST virtual-clusters/placement-preview": "it changes nothing",
}
"""POSTs that know no Idempotency-Key, and why."""


def test_every_post_knows_the_key():
    missing = [
        route.label
        for route in routes()
        if route.method == "POST"
        and route.label not in NOT_KEPT
        and not getattr(getattr(route.view, route.action, None), "idempotent", False)
    ]
    assert missing == [], "decorate them with accounts.api.idempotency.idempotent"
