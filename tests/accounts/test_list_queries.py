"""Every list costs the same number of queries with 10 rows and with 1,000. A list without a maker of rows fails."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import (
    AccessToken,
    Organization,
    OrganizationUserPermission,
    Project,
    RoleBinding,
    Team,
    User,
)
from accounts.models.base import new_id
from clusters.models import (
    DiscoveredCluster,
    HostCluster,
    HostCredential,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    VirtualCluster,
    VirtualClusterPhase,
)
from tests.accounts.conftest import World, signed_in
from tests.routes import Route, routes

FEW, MANY = 10, 1000
MOST_QUERIES = 12

Numbers = Iterable[int]


def organizations(world: World, numbers: Numbers) -> list[Organization]:
    made = Organization.objects.bulk_create(Organization(name=f"org-{number}") for number in numbers)
    view = Permission.objects.get(content_type__model="organization", codename="organization.view")
    OrganizationUserPermission.objects.bulk_create(
        OrganizationUserPermission(user=world.olivia, content_object=each, permission=view) for each in made
    )
    return made


def projects(world: World, numbers: Numbers) -> list[Project]:
    return Project.objects.bulk_create(Project(organization=world.acme, name=f"project-{number}") for number in numbers)


def users(world: World, numbers: Numbers) -> list[User]:
    made = User.objects.bulk_create(User(handle=f"user-{number}", password="!") for number in numbers)
    RoleBinding.objects.bulk_create(RoleBinding(user=each, role="viewer", project=world.payments) for each in made)
    return made


def teams(world: World, numbers: Numbers) -> list[Team]:
    numbers = list(numbers)
    groups = Group.objects.bulk_create(Group(name=str(uuid4())) for _ in numbers)
    made = Team.objects.bulk_create(
        Team(organization=world.acme, name=f"team-{number}", group=group)
        for number, group in zip(numbers, groups, strict=True)
    )
    through = Team.members.through
    through.objects.bulk_create(through(team=each, user=world.olivia) for each in made)
    return made


def role_bindings(world: World, numbers: Numbers) -> None:
    numbers = list(numbers)
    half = len(numbers) // 2
    users(world, numbers[:half])
    RoleBinding.objects.bulk_create(
        RoleBinding(team=each, role="auditor", organization=world.acme) for each in teams(world, numbers[half:])
    )


def access_tokens(world: World, numbers: Numbers) -> None:
    end = timezone.now() + timedelta(days=1)
    AccessToken.objects.bulk_create(
        AccessToken(user=world.olivia, name=f"t-{number}", prefix=f"{number:08}", digest="0" * 64, expires_at=end)
        for number in numbers
    )


def host_clusters(world: World, numbers: Numbers) -> list[HostCluster]:
    made = HostCluster.objects.bulk_create(
        HostCluster(name=f"host-{number}", server="https://x.example", phase="Connected") for number in numbers
    )
    HostCredential.objects.bulk_create(HostCredential(host=each) for each in made)
    through = HostCluster.offered_to_organizations.through
    through.objects.bulk_create(through(hostcluster=each, organization=world.acme) for each in made)
    return made


def virtual_clusters(world: World, numbers: Numbers) -> list[VirtualCluster]:
    host = HostCluster.objects.first() or host_clusters(world, [MANY])[0]
    made = VirtualCluster.objects.bulk_create(
        VirtualCluster(
            project=world.payments,
            name=f"c-{number}",
            creator=world.olivia,
            owner_user=None if number % 2 else world.olivia,
            owner_team=world.dockers if number % 2 else None,
            phase=VirtualClusterPhase.READY,
            kubernetes_version="1.36.3",
            chart_version="0.36.1",
            size="small",
        )
        for number in numbers
    )
    Placement.objects.bulk_create(
        Placement(virtual_cluster=each, host=host, namespace=each.name, release=each.name) for each in made
    )
    _operations(world, made)
    return made


def operations(world: World, numbers: Numbers) -> None:
    virtual_clusters(world, numbers)


def _operations(world: World, clusters: list[VirtualCluster]) -> None:
    Operation.objects.bulk_create(
        Operation(
            id=new_id(),
            kind=OperationKind.PROVISION,
            state=OperationState.SUCCEEDED,
            virtual_cluster=each,
            project=each.project,
            organization=world.acme,
            requested_by=world.olivia,
            lock_key=f"virtual-cluster:{each.pk}",
        )
        for each in clusters
    )


def discovered_clusters(world: World, numbers: Numbers) -> None:
    now = timezone.now()
    DiscoveredCluster.objects.bulk_create(
        DiscoveredCluster(host=host, namespace="n", release="r", workload="StatefulSet", seen_at=now)
        for host in host_clusters(world, numbers)
    )


MAKERS: dict[str, Callable[[World, Numbers], object]] = {
    "organizations": organizations,
    "projects": projects,
    "users": users,
    "teams": teams,
    "role-bindings": role_bindings,
    "access-tokens": access_tokens,
    "host-clusters": host_clusters,
    "virtual-clusters": virtual_clusters,
    "operations": operations,
    "discovered-clusters": discovered_clusters,
}
"""What makes so many rows of a list, that olivia (admin of acme, and here platform staff too) sees."""

LISTS = [route for route in routes() if route.action == "list"]


def test_every_list_has_a_maker_of_rows():
    assert {route.path for route in LISTS} == set(MAKERS), "add a function that makes rows with bulk_create"


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.path)
def test_a_list_costs_the_same_number_of_queries_with_10_and_with_1000_rows(world, route: Route):
    make = MAKERS[route.path]
    User.objects.filter(pk=world.olivia.pk).update(is_staff=True)
    client = signed_in(world.olivia)
    client.get("/api/v1/me")  # the token's last use is written once
    make(world, range(FEW))
    few = _cost(client, route)
    make(world, range(FEW, MANY))
    many = _cost(client, route)
    assert len(few) == len(many), "\n".join(many)
    assert len(many) <= MOST_QUERIES, "\n".join(many)


def _cost(client: APIClient, route: Route) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"/api/v1/{route.path}?page_size=200")
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["results"]) >= FEW
    return [query["sql"] for query in captured]
