"""Every change leaves its row, in the same transaction, without any secret."""

import json

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEvent, IdempotentRequest, Project
from accounts.services.audit import Actor
from accounts.services.organizations import organization_delete, organization_update
from accounts.services.projects import HISTORY_REMOVERS, project_create, project_delete, project_update
from accounts.services.teams import team_delete, team_update
from accounts.services.tokens import token_create
from accounts.services.users import user_create, user_password_set
from tests.accounts.conftest import MARINA, give, person, signed_in

CANARY = "canary-7f3a9c-canary"


def test_every_change_is_recorded_with_before_and_after(world):
    actor = Actor(user=world.olivia, token_prefix="abcd1234", address="192.0.2.7", request_id="req-9")
    project_update(actor=actor, project=world.payments, display_name="Payments")
    organization_update(actor=actor, organization=world.acme, display_name="Acme Ltd")
    team_update(actor=actor, team=world.dockers, name="dock", members=[world.olivia])
    team_delete(actor=actor, team=world.dockers)
    project_delete(actor=actor, project=world.search)
    rows = list(AuditEvent.objects.filter(actor="olivia").order_by("id"))
    assert [row.action for row in rows] == [
        "project.update",
        "organization.update",
        "team.update",
        "team.delete",
        "project.delete",
    ]
    assert {(row.actor_id, row.token_prefix, row.address, row.request_id) for row in rows} == {
        (world.olivia.pk, "abcd1234", "192.0.2.7", "req-9")
    }
    assert {row.organization_id for row in rows} == {world.acme.pk}
    assert (rows[0].before, rows[0].after) == ({"display_name": ""}, {"display_name": "Payments"})
    assert (rows[2].before["name"], rows[2].after) == ("dockers", {"name": "dock", "members": ["olivia"]})


def test_a_change_that_is_undone_leaves_no_row(world):
    before = AuditEvent.objects.count()
    with transaction.atomic():
        project_create(actor=MARINA, organization=world.acme, name="never")
        transaction.set_rollback(True)
    assert AuditEvent.objects.count() == before


def test_passwords_and_tokens_are_in_no_audit_row_and_in_no_stored_answer(world):
    user = user_create(actor=MARINA, handle="cory", password=CANARY)
    user_password_set(actor=MARINA, user=user, password=CANARY + "-2", now=timezone.now())
    made = token_create(actor=MARINA, user=user, name="ci", expires_in=None, now=timezone.now())
    client = signed_in(user)
    over_http = client.post("/api/v1/access-tokens", {"name": "x"}, format="json", HTTP_IDEMPOTENCY_KEY="k").json()
    client.post("/api/v1/access-tokens", {"name": "x", CANARY: CANARY}, format="json")
    written = json.dumps([list(AuditEvent.objects.values()), list(IdempotentRequest.objects.values())], default=str)
    for secret in (CANARY, made.text.split("_", 2)[2], over_http["token"].split("_", 2)[2], made.token.digest):
        assert secret not in written


def test_an_organization_is_deleted_only_when_it_is_empty(world):
    from accounts.errors import Conflict

    with pytest.raises(Conflict, match="still has projects"):
        organization_delete(actor=MARINA, organization=world.acme)
    team = world.dockers
    give(team, "member", world.acme)
    for project in (world.payments, world.search):
        project_delete(actor=MARINA, project=project)
    organization_delete(actor=MARINA, organization=world.acme)
    assert not type(team.group).objects.filter(pk=team.group_id).exists()


def test_a_project_with_a_virtual_cluster_in_it_stays(world):
    from accounts.errors import Conflict
    from clusters.models import VirtualCluster

    VirtualCluster.objects.create(
        project=world.payments,
        name="hello",
        owner_user=world.olivia,
        creator=world.olivia,
        kubernetes_version="1.36.3",
        chart_version="0.36.1",
        size="small",
    )
    with pytest.raises(Conflict, match="payments still has 1 virtual cluster"):
        project_delete(actor=MARINA, project=world.payments)
    answer = signed_in(world.olivia).delete(f"/api/v1/projects/{world.payments.pk}")
    assert answer.status_code == 409
    assert answer.json()["hint"] == "Delete what lives in it first."

    # an app above clears away what is history before
    def remove(project: Project) -> None:
        VirtualCluster.objects.filter(project=project).delete()

    HISTORY_REMOVERS.append(remove)
    try:
        project_delete(actor=MARINA, project=world.payments)
    finally:
        HISTORY_REMOVERS.pop()


def test_a_weak_password_and_a_malformed_handle_are_refused(db):
    from accounts.errors import InvalidInput

    with pytest.raises(InvalidInput) as refused:
        user_create(actor=MARINA, handle="cory", password="12345")
    assert refused.value.field == "password"
    with pytest.raises(InvalidInput) as refused:
        person("Not A Handle")
    assert refused.value.field == "handle"
