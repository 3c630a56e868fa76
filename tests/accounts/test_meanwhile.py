"""Two requests at once: each service looks at the rows as they are once it has their lock, not as they were read."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.errors import NotFound
from accounts.models import AuditEvent, Organization, Project, RoleBinding, Team, User
from accounts.services.federation_rules import federation_rule_create, federation_rule_update
from accounts.services.organizations import organization_delete, organization_update
from accounts.services.projects import project_delete, project_update
from accounts.services.role_bindings import role_binding_delete, role_binding_update
from accounts.services.service_accounts import service_account_create
from accounts.services.teams import team_delete, team_update
from accounts.services.users import user_deactivate, user_update
from tests.accounts.conftest import MARINA, give, person

Rows = Any


def twice(row: Rows) -> tuple[Rows, Rows]:
    """As two requests read it that came at the same time."""
    return type(row).objects.get(pk=row.pk), type(row).objects.get(pk=row.pk)


def test_a_new_name_leaves_a_limit_that_was_set_meanwhile(world):
    first, second = twice(world.payments)
    project_update(actor=MARINA, project=first, cluster_limit=1, kubeconfig_ceiling="view")
    project_update(actor=MARINA, project=second, display_name="Payments")
    world.payments.refresh_from_db()
    now = (world.payments.cluster_limit, world.payments.kubeconfig_ceiling, world.payments.display_name)
    assert now == (1, "view", "Payments")


def test_a_new_name_of_an_organization_leaves_the_maximum_of_its_tokens_that_was_set_meanwhile(world):
    first, second = twice(world.acme)
    organization_update(actor=MARINA, organization=first, token_maximum_days=7)
    organization_update(actor=MARINA, organization=second, display_name="Acme")
    world.acme.refresh_from_db()
    assert (world.acme.token_maximum_days, world.acme.display_name) == (7, "Acme")


def test_another_address_of_a_user_lets_nobody_in_again_who_was_locked_out_meanwhile(world):
    first, second = twice(person("ana"))
    user_deactivate(actor=MARINA, user=first, now=timezone.now())
    user_update(actor=MARINA, user=second, name="", email="ana@example.org", is_staff=False, is_superuser=False)
    assert User.objects.get(handle="ana").is_active is False


def test_another_audience_of_a_rule_leaves_the_claims_that_were_tightened_meanwhile(world):
    account = service_account_create(actor=MARINA, project=world.payments, name="ci", now=timezone.now())
    wide, narrow = {"repository": "acme/*"}, {"repository": "acme/shop"}
    rule = federation_rule_create(
        actor=MARINA, account=account, name="main", issuer="https://i.example", audience="a", claims=wide
    )
    first, second = twice(rule)
    federation_rule_update(actor=MARINA, rule=first, claims=narrow, now=timezone.now())
    federation_rule_update(actor=MARINA, rule=second, audience="b", now=timezone.now())
    rule.refresh_from_db()
    assert (rule.claims, rule.audience) == (narrow, "b")


@pytest.mark.parametrize(
    ("kind", "delete", "update"),
    [
        (Project, lambda row: project_delete(actor=MARINA, project=row), project_update),
        (Team, lambda row: team_delete(actor=MARINA, team=row), team_update),
        (Organization, lambda row: organization_delete(actor=MARINA, organization=row), organization_update),
    ],
)
def test_what_was_deleted_meanwhile_is_not_brought_back_by_a_change(
    world, kind: type[Rows], delete: Callable[[Rows], None], update: Callable[..., Rows]
):
    row = {Project: world.payments, Team: world.dockers, Organization: world.acme}[kind]
    if kind is Organization:
        Project.objects.filter(organization=row).delete()
    first, second = twice(row)
    delete(first)
    with pytest.raises(NotFound):
        update(actor=MARINA, **{kind.__name__.lower(): second}, name="back")
    assert not kind.objects.filter(pk=row.pk).exists()


def test_a_role_that_was_taken_meanwhile_is_neither_prolonged_nor_taken_twice(world):
    binding = give(person("ana"), "viewer", world.payments)
    first, second = twice(binding)
    third = RoleBinding.objects.get(pk=binding.pk)
    role_binding_delete(actor=MARINA, binding=first, now=timezone.now())
    with pytest.raises(NotFound):
        role_binding_update(actor=MARINA, binding=second, expires_at=None, now=timezone.now())
    with pytest.raises(NotFound):
        role_binding_delete(actor=MARINA, binding=third, now=timezone.now())
    assert AuditEvent.objects.filter(action="role.take").count() == 1
