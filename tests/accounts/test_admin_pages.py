"""The admin site: every page opens, and what is changed there went through the services."""

import pytest
from django.contrib import admin
from django.test import Client
from django.utils import timezone

from accounts.access import allowed
from accounts.models import (
    AccessToken,
    AuditEvent,
    GroupMapping,
    Notification,
    Organization,
    Project,
    RoleBinding,
    Team,
    User,
)
from accounts.services.permission_check import permission_differences
from accounts.services.tokens import token_create
from tests.accounts.conftest import MARINA, PASSWORD, person, signed_in

MODELS = (User, Organization, Team, Project, RoleBinding, GroupMapping, AccessToken, AuditEvent)


@pytest.fixture
def site(world) -> Client:
    client = Client()
    client.force_login(world.staff)
    return client


def url(model, *rest) -> str:
    return "/".join(["/admin/accounts", model._meta.model_name, *map(str, rest)]) + "/"


def save(client, where: str, **fields):
    """Posts a form; the answer is where it leads to, or the form with its errors."""
    return client.post(where, {key: value for key, value in fields.items() if value is not None}, follow=True)


def told(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_every_object_has_a_page(site, world, model):
    token_create(actor=MARINA, user=world.olivia, name="laptop", expires_in=None, now=timezone.now())
    GroupMapping.objects.create(organization=world.acme, issuer="https://issuer", group="devs", role="member")
    assert site.get(url(model) + "?q=o").status_code == 200
    row = model.objects.first()
    assert row is not None
    page = site.get(url(model, row.pk, "change"))
    assert page.status_code == 200
    assert AccessToken.objects.get().digest not in page.content.decode()
    add = site.get(url(model, "add"))
    assert add.status_code == (403 if model in (AccessToken, AuditEvent) else 200)


def test_groups_and_permission_rows_have_no_page(world):
    registered = {model._meta.label for model in admin.site._registry}
    assert not any("Permission" in label or label.endswith(".Group") for label in registered)
    assert not any(label.startswith(("socialaccount.", "mfa.", "usersessions.")) for label in registered)


def test_a_user_is_made_with_a_password_changed_and_never_deleted(site):
    answer = save(
        site,
        url(User, "add"),
        handle="nina",
        name="Nina",
        password1=PASSWORD,
        password2=PASSWORD,
        usable_password="true",
    )
    nina = User.objects.get(handle="nina")
    assert nina.check_password(PASSWORD), answer.content
    save(site, url(User, nina.pk, "change"), name="Nina N.", is_staff="on", handle="other")
    nina.refresh_from_db()
    assert (nina.handle, nina.name, nina.is_staff) == ("nina", "Nina N.", True)
    save(
        site,
        url(User, nina.pk, "password"),
        password1="x" * 9 + PASSWORD,
        password2="x" * 9 + PASSWORD,
        usable_password="true",
    )
    nina.refresh_from_db()
    assert nina.check_password("x" * 9 + PASSWORD)
    actions = list(AuditEvent.objects.filter(object_id=str(nina.pk)).order_by("id").values_list("action", flat=True))
    assert actions == ["user.create", "user.update", "user.password"]
    assert site.post(url(User, nina.pk, "delete"), {"post": "yes"}).status_code == 403


def test_deactivating_ends_tokens_and_names_organizations_without_an_admin(site, world):
    client = signed_in(world.olivia)
    answer = save(site, url(User), action="deactivate", _selected_action=str(world.olivia.pk))
    assert "acme has no admin now" in told(answer)
    assert client.get("/api/v1/me").status_code == 401
    save(site, url(User), action="activate", _selected_action=str(world.olivia.pk))
    assert signed_in(world.olivia).get("/api/v1/me").status_code == 200


def test_an_organization_with_team_and_project_is_made_and_deleted(site, world):
    save(site, url(Organization, "add"), name="initech", admin=str(world.olivia.pk))
    initech = Organization.objects.get(name="initech")
    assert allowed(world.olivia, "organization.update", initech)
    save(site, url(Team, "add"), organization=str(initech.pk), name="core", members=str(world.olivia.pk))
    team = Team.objects.get(organization=initech)
    assert list(team.group.user_set.all()) == [world.olivia]
    save(site, url(Project, "add"), organization=str(initech.pk), name="tps")
    answer = save(site, url(Organization, initech.pk, "delete"), post="yes")
    assert "still has projects" in told(answer)
    save(site, url(Project, Project.objects.get(name="tps").pk, "delete"), post="yes")
    save(site, url(Organization, initech.pk, "delete"), post="yes")
    assert not Organization.objects.filter(name="initech").exists()
    assert AuditEvent.objects.filter(action="organization.delete", details__for_the_platform=True).exists()


def test_roles_given_and_taken_there_carry_their_permission_rows(site, world):
    vera = person("vera")
    given = {"user": str(vera.pk), "role": "developer", "project": str(world.payments.pk)}
    save(site, url(RoleBinding, "add"), **given)
    assert allowed(vera, "virtualcluster.create", world.payments)
    binding = RoleBinding.objects.get(user=vera)
    save(site, url(RoleBinding), action="delete_selected", _selected_action=str(binding.pk), post="yes")
    assert not allowed(vera, "project.view", world.payments)
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_staff_who_give_themselves_a_role_there_are_told_of_to_the_organizations_admins(site, world):
    me = world.staff
    vera = person("vera")
    for whom in (vera, me):
        save(site, url(RoleBinding, "add"), user=str(whom.pk), role="developer", project=str(world.payments.pk))
    (notice,) = Notification.objects.filter(kind="staff-joined")
    assert notice.recipient == world.olivia
    assert me.handle in notice.text


def test_what_a_service_refuses_is_told_and_changes_nothing(site, world):
    last = RoleBinding.objects.get(user=world.olivia, organization=world.acme)
    answer = save(site, url(RoleBinding, last.pk, "delete"), post="yes")
    assert "acme would have no admin left" in told(answer)
    answer = save(site, url(RoleBinding, "add"), user=str(world.olivia.pk), role="king", project=str(world.payments.pk))
    assert RoleBinding.objects.filter(project=world.payments).count() == 0
    answer = save(site, url(RoleBinding, "add"), role="viewer", project=str(world.payments.pk))
    assert "Exactly one of user and team is needed" in answer.content.decode()
    assert allowed(world.olivia, "organization.update", world.acme)


def test_tokens_are_revoked_from_the_list(site, world):
    client = signed_in(world.olivia)
    save(site, url(AccessToken), action="revoke", _selected_action=str(AccessToken.objects.get().pk))
    assert client.get("/api/v1/me").status_code == 401


def test_staff_without_django_permissions_see_nothing_in_the_site(world):
    client = Client()
    client.force_login(person("operator", is_staff=True))
    for model in MODELS:
        assert client.get(url(model)).status_code == 403
