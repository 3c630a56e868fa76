"""The admin site shows invitations and requests to join, and revokes the former; it shows no link and no digest."""

from django.test import Client
from django.utils import timezone

from accounts.models import Invitation, JoinRequest
from accounts.services.audit import Actor
from accounts.services.invitations import invitation_create
from accounts.services.join_requests import join_request_create
from tests.accounts.conftest import give, person


def test_invitations_and_requests_are_looked_at_and_invitations_revoked(world):
    now, mia = timezone.now(), person("mia")
    give(mia, "member", world.acme)
    made = invitation_create(actor=Actor(user=world.olivia), scope=world.payments, role="viewer", now=now)
    asked = join_request_create(actor=Actor(user=mia), project=world.payments, now=now)
    site = Client()
    site.force_login(world.staff)
    for model, row in ((Invitation, made.invitation), (JoinRequest, asked)):
        where = f"/admin/accounts/{model._meta.model_name}/"
        for path in (where, f"{where}{row.pk}/change/"):
            page = site.get(path)
            assert page.status_code == 200, path
            assert made.invitation.digest not in page.content.decode()
            assert made.secret not in page.content.decode()
    chosen = {"action": "revoke", "_selected_action": [str(made.invitation.pk)]}
    assert site.post("/admin/accounts/invitation/", chosen, follow=True).status_code == 200
    assert Invitation.objects.get().state(now=timezone.now()) == "revoked"


def test_an_organizations_settings_and_a_projects_limits_are_changed_there(world):
    site = Client()
    site.force_login(world.staff)
    settings = {
        "name": "acme",
        "display_name": "",
        "personal_project_clusters": 4,
        "personal_project_lifetime_days": 9,
        "member_projects": 1,
    }
    site.post(f"/admin/accounts/organization/{world.acme.pk}/change/", settings)
    world.acme.refresh_from_db()
    assert (world.acme.personal_project_clusters, world.acme.member_projects) == (4, 1)
    limits = {"name": "payments", "display_name": "", "cluster_limit": 5, "kubeconfig_ceiling": "view"}
    limits["request_audit"] = "writes"
    site.post(f"/admin/accounts/project/{world.payments.pk}/change/", limits)
    world.payments.refresh_from_db()
    assert (world.payments.cluster_limit, world.payments.kubeconfig_ceiling) == (5, "view")
