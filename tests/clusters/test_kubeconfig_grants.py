"""Whoever loses what a kubeconfig was given for loses the kubeconfig: found by rows, ended by an operation."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import ProjectUserPermission, RoleBinding
from accounts.services.role_bindings import role_binding_delete, role_bindings_expire
from accounts.services.service_accounts import service_account_create, service_account_delete
from accounts.services.teams import team_update
from accounts.services.users import user_deactivate
from clusters.models import KubeconfigGrant, Operation, OperationKind, OperationState, VirtualCluster
from clusters.services.kubeconfig_grants import (
    TIDIED_AFTER,
    TRIED_AGAIN_AFTER,
    access_revoke,
    access_to_end,
    grants_end,
)
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import PUBLIC_KEY, operation_row, ready_row


@pytest.fixture
def cluster(world, host) -> VirtualCluster:
    return ready_row(world, host)


def grant(cluster, user, level="admin", **fields) -> KubeconfigGrant:
    fields = {"expires_at": timezone.now() + timedelta(hours=1), **fields}
    return KubeconfigGrant.objects.create(virtual_cluster=cluster, user=user, level=level, **fields)


def binding_of(user) -> RoleBinding:
    return RoleBinding.objects.get(user=user)


def ended(cluster) -> set[tuple[str, str]]:
    """Handles and levels of what is to be taken away."""
    handles = {row.user_id: row.user.handle for row in KubeconfigGrant.objects.select_related("user")}
    accounts = access_to_end(virtual_cluster=cluster, now=timezone.now()).accounts
    return {(handles[user], level) for user, level in accounts}


def started() -> list[Operation]:
    return access_revoke(now=timezone.now())


def test_asking_for_a_kubeconfig_notes_who_has_one_and_until_when(people, dan, cluster):
    url = f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    assert dan.post(url, {"public_key": PUBLIC_KEY, "expires_in": 7200}, "json").status_code == 202
    row = KubeconfigGrant.objects.get()
    assert (row.user, row.level, row.virtual_cluster, row.revoked_at) == (people.dan, "admin", cluster, None)
    assert row.operation
    assert row.operation.kind == OperationKind.ISSUE_KUBECONFIG
    assert abs(row.expires_at - timezone.now() - timedelta(seconds=7200)) < timedelta(minutes=1)


def test_whoever_sees_the_cluster_sees_who_has_a_kubeconfig(people, cluster):
    grant(cluster, people.dan)
    grant(cluster, people.vera, "view")
    grant(cluster, people.ada, expires_at=timezone.now())
    grant(cluster, people.ada, revoked_at=timezone.now())
    role_binding_delete(actor=MARINA, binding=binding_of(people.dan), now=timezone.now())
    url = f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    listed = signed_in(people.vera).get(url).json()["results"]
    assert [(each["user"]["handle"], each["level"], each["ending"]) for each in listed] == [
        ("vera", "view", False),
        ("dan", "admin", True),
    ]
    assert listed[0]["note"] == ""
    assert "at its expiry it ends in any case" in listed[1]["note"]
    problem(signed_in(people.eve).get(url), 404)


def test_that_list_costs_the_same_however_long_it_is(people, cluster, django_assert_max_num_queries):
    for _ in range(10):
        grant(cluster, people.dan)
    client = signed_in(people.vera)
    url = f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    client.get(url)
    with django_assert_max_num_queries(8):
        assert len(client.get(url).json()["results"]) == 10


def test_nothing_is_ended_of_who_keeps_the_role(people, cluster):
    for user, level in ((people.dan, "admin"), (people.dan, "view"), (people.vera, "view"), (people.ada, "admin")):
        grant(cluster, user, level)
    assert ended(cluster) == set()
    assert started() == []


@pytest.mark.parametrize(
    "how", ["role deleted", "role expired", "lowered", "deactivated", "team left", "other project", "shared no more"]
)
def test_each_way_of_losing_a_role_ends_what_it_gave_and_nobody_elses(world, people, cluster, how):
    now, user = timezone.now(), person("leaver")
    left: set[str] = set()
    match how:
        case "role deleted":
            role_binding_delete(actor=MARINA, binding=give(user, "developer", world.payments), now=now)
        case "role expired":
            give(user, "developer", world.payments, expires_at=now + timedelta(hours=1))
            # as it is at that moment, before anybody has cleared the role away
            ProjectUserPermission.objects.filter(user=user).update(expires_at=now)
        case "lowered":
            higher = give(user, "developer", world.payments)
            give(user, "viewer", world.payments)
            role_binding_delete(actor=MARINA, binding=higher, now=now)
            left = {"view"}
        case "deactivated":
            give(user, "developer", world.payments)
            user_deactivate(actor=MARINA, user=user, now=now)
        case "team left":
            give(world.dockers, "developer", world.payments)
            team_update(actor=MARINA, team=world.dockers, members=[user])
            team_update(actor=MARINA, team=world.dockers, members=[])
        case "other project":
            give(user, "developer", world.payments)
        case "shared no more":
            role_binding_delete(actor=MARINA, binding=give(user, "developer", cluster), now=now)
    for level in ("admin", "view"):
        grant(cluster, user, level)
    others = [grant(cluster, world.olivia)]
    if how == "other project":
        VirtualCluster.objects.filter(pk=cluster.pk).update(project=world.search)
    else:
        others.append(grant(cluster, people.vera, "view"))
    assert ended(cluster) == {("leaver", level) for level in {"admin", "view"} - left}
    (operation,) = started()
    assert (operation.kind, operation.virtual_cluster, operation.requested_by) == ("revoke-access", cluster, None)
    grants_end(access_to_end(virtual_cluster=cluster, now=now).grants, now=now)
    assert all(each.revoked_at is None for each in KubeconfigGrant.objects.filter(pk__in=[row.pk for row in others]))
    assert ended(cluster) == set()


def test_a_deleted_service_account_loses_its_kubeconfigs(world, cluster):
    now = timezone.now()
    account = service_account_create(actor=MARINA, project=world.payments, name="ci", now=now)
    grant(cluster, account.user)
    assert ended(cluster) == set()
    service_account_delete(actor=MARINA, account=account, now=now)
    assert {level for _, level in ended(cluster)} == {"admin"}


def test_a_role_given_again_works_again_with_a_new_kubeconfig(world, people, cluster):
    now = timezone.now()
    old = grant(cluster, people.dan)
    role_binding_delete(actor=MARINA, binding=binding_of(people.dan), now=now)
    ending = access_to_end(virtual_cluster=cluster, now=now)
    give(people.dan, "developer", world.payments)
    new = grant(cluster, people.dan)
    grants_end(ending.grants, now=now)
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.revoked_at, new.revoked_at) == (now, None)
    assert ended(cluster) == set()


def test_what_ended_by_itself_is_cleared_away_in_its_time_unless_a_later_one_needs_the_account(people, cluster):
    now = timezone.now()
    over = grant(cluster, people.dan, expires_at=now - timedelta(minutes=1))
    assert started() == []
    later = grant(cluster, people.dan)
    assert started() == []
    over.refresh_from_db()
    assert over.revoked_at is not None, "nothing has to be done inside"
    KubeconfigGrant.objects.filter(pk=later.pk).update(expires_at=now - TIDIED_AFTER - timedelta(seconds=1))
    (operation,) = started()
    assert operation.kind == "revoke-access"
    assert ended(cluster) == {("dan", "admin")}


@pytest.mark.parametrize("phase", ["Asleep", "FallingAsleep", "Waking", "Deleting", "Deleted"])
def test_a_cluster_that_cannot_be_asked_is_not_asked(people, cluster, phase):
    row = grant(cluster, people.mia)
    VirtualCluster.objects.update(phase=phase)
    assert started() == []
    assert ended(cluster) == {("mia", "admin")} or phase == "Deleted"
    row.refresh_from_db()
    assert (row.revoked_at is not None) == (phase == "Deleted"), "with the cluster went all access to it"


def test_one_operation_a_cluster_at_a_time_and_a_failed_one_is_begun_again_later(people, cluster):
    grant(cluster, people.mia)
    (first,) = started()
    grant(cluster, people.otto)
    assert started() == []
    first.state, first.finished_at = OperationState.FAILED, timezone.now()
    first.save()
    assert started() == []
    Operation.objects.filter(pk=first.pk).update(finished_at=timezone.now() - TRIED_AGAIN_AFTER)
    (second,) = started()
    assert second != first


def test_looking_costs_the_same_however_many_have_one(world, people, host, django_assert_max_num_queries):
    for number in range(8):
        each = ready_row(world, host, f"many-{number}")
        for user in (people.dan, people.ada, world.olivia):
            grant(each, user)
    with django_assert_max_num_queries(6):
        assert started() == []


def test_it_is_nobodys_to_abort(people, cluster):
    grant(cluster, people.mia)
    (operation,) = started()
    body = problem(signed_in(people.dan).post(f"/api/v1/operations/{operation.pk}/abort"), 409)
    assert "cannot be aborted" in body["detail"]


def test_roles_that_end_by_themselves_end_kubeconfigs_too(world, people, cluster):
    now = timezone.now()
    give(people.mia, "developer", world.payments, expires_at=now + timedelta(hours=1))
    grant(cluster, people.mia)
    assert started() == []
    RoleBinding.objects.filter(user=people.mia, project=world.payments).update(expires_at=now)
    role_bindings_expire(now=now)
    assert len(started()) == 1


def test_history_goes_with_its_cluster(world, people, cluster):
    operation = operation_row(cluster, OperationKind.ISSUE_KUBECONFIG, requested_by=people.dan)
    grant(cluster, people.dan, operation=operation)
    operation.delete()
    assert KubeconfigGrant.objects.get().operation is None
