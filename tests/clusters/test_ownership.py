"""Every cluster has an owner; it is given away, moved to another project, and inherited when its owner leaves."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import Conflict, NotAllowed
from accounts.models import AuditEvent, Notification, Organization, RoleBinding, Team
from accounts.services.audit import Actor
from accounts.services.permission_check import permission_differences
from accounts.services.projects import project_delete
from accounts.services.role_bindings import role_binding_delete, role_bindings_expire
from accounts.services.service_accounts import service_account_delete
from accounts.services.team_members import team_member_remove
from accounts.services.teams import team_delete, team_update
from accounts.services.users import user_deactivate
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster, VirtualClusterPhase
from clusters.services.transferring import virtual_cluster_transfer
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.accounts.machines import machine
from tests.clusters.conftest import problem, refused
from tests.clusters.making import cluster_row, host_row, operation_row, ready_row

URL = "/api/v1/virtual-clusters"


def owner_of(cluster) -> str:
    return VirtualCluster.objects.get(pk=cluster.pk).owner_label


def told(user, kind: str) -> list[str]:
    return list(Notification.objects.filter(recipient=user, kind=kind).values_list("text", flat=True))


def transfer(client, cluster, **body):
    return client.post(f"{URL}/{cluster.pk}/transfer", body, "json")


# --- who owns what is made --------------------------------------------------------------------------------------------


def test_whoever_makes_it_owns_it_unless_another_is_named(world, people, dan, host):
    give(world.dockers, "viewer", world.payments)
    give(machine(world.payments), "developer", world.payments)
    for owner, kind, name in (
        (None, "user", "dan"),
        ("vera", "user", "vera"),
        ("team:dockers", "team", "acme/dockers"),
        ("service-account:ci", "service-account", "ci"),
    ):
        body = {"project": "acme/payments", "name": f"of-{kind}-{name[-2:]}", **({"owner": owner} if owner else {})}
        answer = dan.post(URL, body, "json")
        assert answer.status_code == 202, answer.content
        shown = answer.json()["virtual_cluster"]
        assert (shown["owner"]["kind"], shown["owner"]["name"]) == (kind, name)
        assert shown["created_by"]["handle"] == "dan"


@pytest.mark.parametrize("owner", ["nobody", "mia", "eve", "team:dockers", "team:nil", "service-account:nil", "king:x"])
def test_an_owner_who_would_not_see_it_is_refused_like_one_who_does_not_exist(world, people, dan, host, owner):
    answer = dan.post(URL, {"project": "acme/payments", "name": "hello", "owner": owner}, "json")
    error = refused(answer, "owner")
    assert error["message"].startswith("There is nobody of this name who sees the virtual cluster")
    assert not VirtualCluster.objects.exists()


def test_who_may_not_create_cannot_probe_who_exists(world, people, host):
    for owner in ("dan", "nobody"):
        body = {"project": "acme/payments", "name": "hello", "owner": owner}
        problem(signed_in(people.vera).post(URL, body, "json"), 403)


def test_the_projects_admins_are_told_what_a_service_account_made(world, people, host):
    account = machine(world.payments)
    give(account, "developer", world.payments)
    answer = signed_in(account.user).post(URL, {"project": "acme/payments", "name": "preview"}, "json")
    assert answer.status_code == 202, answer.content
    assert told(people.ada, "created-by-ci") == [
        "The service account acme/payments/ci created acme/payments/preview. acme/payments/ci owns it."
    ]
    assert Notification.objects.count() == 1, "nobody else is"
    assert signed_in(people.dan).post(URL, {"project": "acme/payments", "name": "own"}, "json").status_code == 202
    assert Notification.objects.count() == 1


# --- giving it away ---------------------------------------------------------------------------------------------------


def test_the_owner_gives_it_to_another_and_both_hear_of_it(world, people, host):
    cluster = ready_row(world, host, owner_user=people.dan)
    answer = transfer(signed_in(people.dan), cluster, owner="vera")
    assert answer.status_code == 200, answer.content
    assert answer.json()["owner"]["name"] == "vera"
    assert answer["ETag"] == '"2"'
    shown = signed_in(people.vera).get(f"{URL}/{cluster.pk}").json()
    assert shown["generation"] == 2
    assert told(people.vera, "owner-changed") == [
        "dan gave acme/payments/hello from dan to vera, who answers for it now."
    ]
    assert told(people.dan, "owner-changed") == []
    row = AuditEvent.objects.get(action="virtualcluster.transfer")
    assert (row.before["owner"], row.after["owner"]) == ("dan", "vera")


def test_others_than_the_owner_need_the_right_to_transfer(world, people, dan, host):
    cluster = ready_row(world, host)
    for owner in ("vera", "nobody"):
        problem(transfer(dan, cluster, owner=owner), 403)
        problem(transfer(signed_in(people.eve), cluster, owner=owner), 404)
    assert transfer(signed_in(people.ada), cluster, owner="dan").status_code == 200
    assert owner_of(cluster) == "dan"


def test_one_of_the_team_that_owns_it_gives_it_away(world, people, host):
    give(world.dockers, "viewer", world.payments)
    team_update(actor=MARINA, team=world.dockers, members=[people.vera])
    cluster = ready_row(world, host, owner_user=None, owner_team=world.dockers)
    assert transfer(signed_in(people.vera), cluster, owner="dan").status_code == 200
    problem(transfer(signed_in(people.vera), cluster, owner="vera"), 403)


def test_an_owner_who_lost_it_meanwhile_gives_it_to_nobody(world, people, host):
    cluster = ready_row(world, host, owner_user=people.vera)
    as_read_before = VirtualCluster.objects.get(pk=cluster.pk)
    now = timezone.now()
    virtual_cluster_transfer(virtual_cluster=cluster, actor=MARINA, owner=people.dan, now=now)
    with pytest.raises(NotAllowed):
        virtual_cluster_transfer(
            virtual_cluster=as_read_before, actor=Actor(user=people.vera), owner=people.vera, now=now
        )
    assert owner_of(cluster) == "dan"


def test_a_transfer_says_to_whom_or_where(world, people, host):
    cluster = ready_row(world, host)
    ada = signed_in(people.ada)
    refused(transfer(ada, cluster), "owner")
    refused(transfer(ada, cluster, owner="mia"), "owner")
    problem(ada.post(f"{URL}/{cluster.pk}/transfer", {"owner": "dan"}, "json", HTTP_IF_MATCH='"7"'), 412)
    deleted = cluster_row(world, "gone", phase=VirtualClusterPhase.DELETED)
    problem(transfer(ada, deleted, owner="dan"), 409)


def test_a_change_of_owner_does_not_pass_for_one_that_a_worker_has_to_follow(world, people, host):
    cluster = ready_row(world, host, observed_generation=1)
    transfer(signed_in(people.ada), cluster, owner="dan")
    cluster.refresh_from_db()
    assert (cluster.generation, cluster.observed_generation) == (2, 2)


# --- another project --------------------------------------------------------------------------------------------------


def test_it_moves_to_another_project_with_its_operations_and_its_shares(world, people, host):
    cluster, mia = ready_row(world, host, owner_user=people.dan), people.mia
    give(mia, "viewer", cluster)
    give(people.ada, "developer", world.search)
    answer = transfer(signed_in(people.ada), cluster, project="acme/search")
    assert answer.status_code == 202, answer.content
    assert answer.json()["operation"]["kind"] == "configure", "its labels on the host follow"
    assert answer.json()["virtual_cluster"]["project"]["name"] == "search"
    assert {each.project for each in Operation.objects.filter(virtual_cluster=cluster)} == {world.search}
    assert owner_of(cluster) == "ada", "dan does not see it there"
    problem(signed_in(people.dan).get(f"{URL}/{cluster.pk}"), 404)
    assert signed_in(mia).get(f"{URL}/{cluster.pk}").status_code == 200
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_its_operations_change_the_organization_whose_turn_they_take(world, people, host):
    cluster, mover = cluster_row(world), person("mover")
    waiting = operation_row(cluster, OperationKind.PROVISION, state=OperationState.PENDING)
    give(mover, "admin", world.payments)
    give(mover, "developer", world.foreign)
    give(world.dockers, "viewer", cluster)
    give(people.mia, "viewer", cluster)
    assert transfer(signed_in(mover), cluster, project="globex/payments").status_code == 200
    waiting.refresh_from_db()
    assert (waiting.project, waiting.organization) == (world.foreign, world.globex)
    kept = RoleBinding.objects.filter(virtual_cluster=cluster)
    assert [each.user for each in kept] == [people.mia], "a team of the former organization has no business there"
    assert list(permission_differences(now=timezone.now()).sentences()) == []


def test_moving_takes_the_right_on_both_sides(world, people, dan, host):
    cluster = ready_row(world, host, owner_user=people.dan)
    give(people.dan, "developer", world.search)
    problem(transfer(dan, cluster, project="acme/search"), 403)
    ada = signed_in(people.ada)
    refused(transfer(ada, cluster, project="acme/search"), "project")
    give(people.ada, "viewer", world.search)
    problem(transfer(ada, cluster, project="acme/search"), 403)


def test_it_does_not_move_where_its_name_is_taken_its_host_is_not_offered_or_there_is_no_room(world, people):
    host = host_row(offered_to_all=False)
    host.offered_to_projects.add(world.payments)
    cluster, olivia = ready_row(world, host), signed_in(world.olivia)
    error = refused(transfer(olivia, cluster, project="acme/search"), "project")
    assert "east, which is not offered to acme/search" in error["message"]
    host.offered_to_projects.add(world.search)
    taken = cluster_row(world, project=world.search)
    refused(transfer(olivia, cluster, project="acme/search"), "name")
    VirtualCluster.objects.filter(pk=taken.pk).update(name="other")
    world.search.cluster_limit = 1
    world.search.save()
    assert "its limit is 1" in problem(transfer(olivia, cluster, project="acme/search"), 409, "cluster-limit")["detail"]
    cluster.refresh_from_db()
    assert cluster.project == world.payments


# --- when the owner leaves --------------------------------------------------------------------------------------------


@pytest.fixture
def owned(world, people, host) -> VirtualCluster:
    """dan's."""
    return ready_row(world, host, owner_user=people.dan)


def inherited(people, cluster) -> None:
    assert owner_of(cluster) == "ada"
    assert len(told(people.ada, "cluster-inherited")) == 1
    assert "ada owns it now" in told(people.ada, "cluster-inherited")[0]
    row = AuditEvent.objects.get(action="virtualcluster.inherit")
    assert row.after == {"owner": "ada"}


def test_a_project_admin_inherits_when_the_owners_last_role_is_taken(world, people, owned):
    second = give(people.dan, "viewer", world.payments)
    binding = RoleBinding.objects.get(user=people.dan, project=world.payments, role="developer")
    role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
    assert owner_of(owned) == "dan", "a role that shows it is left"
    role_binding_delete(actor=MARINA, binding=second, now=timezone.now())
    inherited(people, owned)


def test_a_project_admin_inherits_when_the_owners_role_ends(world, people, owned):
    now = timezone.now()
    RoleBinding.objects.filter(user=people.dan).update(expires_at=now - timedelta(seconds=1))
    role_bindings_expire(now=now)
    inherited(people, owned)


def test_a_project_admin_inherits_when_the_owner_is_deactivated(world, people, owned):
    user_deactivate(actor=MARINA, user=people.dan, now=timezone.now())
    inherited(people, owned)


def test_a_project_admin_inherits_when_the_owner_leaves_the_team_that_let_them_in(world, people, host):
    give(world.dockers, "developer", world.payments)
    zoe = person("zoe")
    team_update(actor=MARINA, team=world.dockers, members=[zoe])
    cluster = ready_row(world, host, owner_user=zoe)
    team_update(actor=MARINA, team=world.dockers, members=[])
    inherited(people, cluster)


def test_a_project_admin_inherits_what_a_deleted_team_owned_and_its_members_with_it(world, people, host):
    give(world.dockers, "developer", world.payments)
    zoe = person("zoe")
    team_update(actor=MARINA, team=world.dockers, members=[zoe])
    cluster = ready_row(world, host, owner_user=None, owner_team=world.dockers)
    hers = ready_row(world, host, "hers", owner_user=zoe)
    gone = cluster_row(world, "gone", owner_user=None, owner_team=world.dockers, phase=VirtualClusterPhase.DELETED)
    team_delete(actor=MARINA, team=world.dockers)
    assert not Team.objects.filter(name="dockers", organization=world.acme).exists()
    assert {owner_of(each) for each in (cluster, hers, gone)} == {"ada"}
    assert len(told(people.ada, "cluster-inherited")) == 2, "nobody is bothered with what is gone"


def test_a_service_accounts_clusters_are_inherited_too(world, people, host):
    account = machine(world.payments)
    binding = give(account, "developer", world.payments)
    cluster = ready_row(world, host, owner_user=account.user)
    role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
    inherited(people, cluster)


def test_a_service_accounts_clusters_are_inherited_when_it_is_deleted(world, people, host):
    account = machine(world.payments)
    give(account, "developer", world.payments)
    cluster = ready_row(world, host, owner_user=account.user)
    service_account_delete(actor=MARINA, account=account, now=timezone.now())
    inherited(people, cluster)


def test_a_service_accounts_clusters_elsewhere_are_inherited_when_its_project_is_deleted(world, people, host):
    account = machine(world.search)
    give(account, "developer", world.payments)
    cluster = ready_row(world, host, owner_user=account.user)
    project_delete(actor=MARINA, project=world.search)
    inherited(people, cluster)


def test_a_project_admin_inherits_when_groups_take_the_owner_out_of_a_team(world, people, host):
    give(world.dockers, "developer", world.payments)
    zoe = person("zoe")
    team_update(actor=MARINA, team=world.dockers, members=[zoe])
    cluster = ready_row(world, host, owner_user=zoe)
    team_member_remove(actor=MARINA, team=world.dockers, user=zoe, now=timezone.now())
    inherited(people, cluster)


def test_who_has_the_role_for_good_inherits_and_every_admin_hears_of_it(world, people, owned):
    binding = RoleBinding.objects.get(user=people.ada)
    RoleBinding.objects.filter(pk=binding.pk).update(expires_at=timezone.now() + timedelta(days=1))
    lasting = person("lasting")
    give(lasting, "admin", world.payments)
    user_deactivate(actor=MARINA, user=people.dan, now=timezone.now())
    assert owner_of(owned) == "lasting"
    assert [len(told(each, "cluster-inherited")) for each in (lasting, people.ada)] == [1, 1]


def test_without_an_admin_of_the_project_one_of_the_organization_inherits(world, people, owned):
    for user in (people.ada, people.dan):
        user_deactivate(actor=MARINA, user=user, now=timezone.now())
    assert owner_of(owned) == "olivia"
    assert told(world.olivia, "cluster-inherited")


def test_without_any_admin_the_owner_stays_until_there_is_one(world, people, owned):
    for user in (people.ada, world.olivia, people.dan):
        user_deactivate(actor=MARINA, user=user, now=timezone.now())
    assert owner_of(owned) == "dan"
    assert Organization.objects.filter(name="acme").exists()


def test_a_share_for_the_cluster_alone_keeps_it_its_owners(world, people, owned):
    give(people.dan, "viewer", owned)
    role_binding_delete(
        actor=MARINA, binding=RoleBinding.objects.get(user=people.dan, project=world.payments), now=timezone.now()
    )
    assert owner_of(owned) == "dan"


def test_a_cluster_that_moved_meanwhile_is_not_moved_again(world, people, owned):
    stale = VirtualCluster.objects.select_related("project").get(pk=owned.pk)
    VirtualCluster.objects.filter(pk=owned.pk).update(project=world.search)
    with pytest.raises(Conflict, match="moved meanwhile"):
        virtual_cluster_transfer(virtual_cluster=stale, owner=people.ada, actor=MARINA, now=timezone.now())
