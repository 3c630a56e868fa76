"""Rows of every list by the thousand, made with few statements, which olivia (admin of acme, platform staff) sees."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts.models import (
    AccessToken,
    AuditEvent,
    FederationRule,
    GroupMapping,
    Invitation,
    JoinRequest,
    Notification,
    NotificationDelivery,
    Organization,
    OrganizationUserPermission,
    Project,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
    Webhook,
    WebhookDelivery,
)
from accounts.models.base import new_id
from clusters.models import (
    CleanupItem,
    CleanupRun,
    ClusterUse,
    DiscoveredCluster,
    Export,
    GatewayRequest,
    GatewayToken,
    HostCluster,
    HostCredential,
    KnownWriter,
    KubeconfigGrant,
    LifecyclePolicy,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    RegionOffer,
    Rollout,
    RolloutMember,
    SleepSchedule,
    UpgradePolicy,
    VirtualCluster,
    VirtualClusterPhase,
)
from tests.accounts.conftest import World
from tests.clusters.gateway_books import request_row
from tests.clusters.rollouts.making import rollout_of

Numbers = Iterable[int]
MANY_MORE = 10**6
"""A number that no row of a test has."""


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
    host = HostCluster.objects.first() or host_clusters(world, [MANY_MORE])[0]
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


def service_accounts(world: World, numbers: Numbers) -> list[ServiceAccount]:
    numbers = list(numbers)
    users = User.objects.bulk_create(
        User(handle=f"sa-{number}", password="!", is_service_account=True) for number in numbers
    )
    return ServiceAccount.objects.bulk_create(
        ServiceAccount(project=world.payments, name=f"sa-{number}", user=user)
        for number, user in zip(numbers, users, strict=True)
    )


def federation_rules(world: World, numbers: Numbers) -> None:
    FederationRule.objects.bulk_create(
        FederationRule(service_account=each, name="ci", issuer="https://x.example", audience="a", claims={"sub": "b"})
        for each in service_accounts(world, numbers)
    )


def service_account_tokens(world: World, numbers: Numbers) -> None:
    account = the_service_account(world)
    end = timezone.now() + timedelta(days=1)
    makers = users(world, numbers)
    AccessToken.objects.bulk_create(
        AccessToken(
            user=account.user,
            name="t",
            prefix=f"{each.handle:>8}"[-8:],
            digest="0" * 64,
            expires_at=end,
            created_by=each,
        )
        for each in makers
    )


def group_mappings(world: World, numbers: Numbers) -> None:
    numbers = list(numbers)
    half = len(numbers) // 2
    some: list[dict[str, Any]] = [{"team": each} for each in teams(world, numbers[:half])]
    others: list[dict[str, Any]] = [{"project": each, "role": "viewer"} for each in projects(world, numbers[half:])]
    GroupMapping.objects.bulk_create(
        GroupMapping(organization=world.acme, issuer="https://x.example", group="g", **gives) for gives in some + others
    )


def invitations(world: World, numbers: Numbers) -> None:
    made = projects(world, numbers)
    people = users(world, numbers)
    Invitation.objects.bulk_create(
        Invitation(
            organization=world.acme,
            project=project,
            role="viewer",
            digest=project.pk.hex * 2,
            expires_at=timezone.now(),
            created_by=user,
            used_by=user,
            used_at=timezone.now(),
        )
        for project, user in zip(made, people, strict=True)
    )


def join_requests(world: World, numbers: Numbers) -> None:
    made = projects(world, numbers)
    people = users(world, numbers)
    JoinRequest.objects.bulk_create(
        JoinRequest(project=project, user=user, decided_by=user) for project, user in zip(made, people, strict=True)
    )


def notifications(world: World, numbers: Numbers) -> None:
    made = Notification.objects.bulk_create(
        Notification(recipient=world.olivia, kind="join-request", text=str(number)) for number in numbers
    )
    NotificationDelivery.objects.bulk_create(NotificationDelivery(notification=each, channel="mail") for each in made)


def sessions(world: World, numbers: Numbers) -> None:
    numbers, end = list(numbers), timezone.now() + timedelta(days=1)
    Session.objects.bulk_create(
        Session(session_key=f"s-{number}", session_data="", expire_date=end) for number in numbers
    )
    UserSession.objects.bulk_create(
        UserSession(user=world.olivia, session_key=f"s-{number}", ip="192.0.2.1", user_agent="x") for number in numbers
    )


def audit_events(world: World, numbers: Numbers) -> None:
    AuditEvent.objects.bulk_create(
        AuditEvent(actor="x", action="a", object_kind="k", object_id=str(number), organization_id=world.acme.pk)
        for number in numbers
    )


def webhooks(world: World, numbers: Numbers) -> list[Webhook]:
    return Webhook.objects.bulk_create(
        Webhook(organization=world.acme, project=each, url="https://x.example", secret=b"x")
        for each in projects(world, numbers)
    )


def webhook_deliveries(world: World, numbers: Numbers) -> None:
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(
            webhook=the_webhook(world), event_id="e", type="ping", source=str(n), payload={}, tried_from=timezone.now()
        )
        for n in numbers
    )


def region_offers(world: World, numbers: Numbers) -> None:
    numbers = list(numbers)
    RegionOffer.objects.bulk_create(
        RegionOffer(region=f"r-{number}", project=each)
        for number, each in zip(numbers, projects(world, numbers), strict=True)
    )


def sleep_schedules(world: World, numbers: Numbers) -> None:
    made = projects(world, numbers)
    SleepSchedule.objects.bulk_create(SleepSchedule(project=each, sleep_cron="0 20 * * *") for each in made)


def lifecycle_policies(world: World, numbers: Numbers) -> None:
    LifecyclePolicy.objects.bulk_create(
        LifecyclePolicy(project=each, sleep_after=86400) for each in projects(world, numbers)
    )


def cleanup_runs(world: World, numbers: Numbers) -> list[CleanupRun]:
    now = timezone.now()
    return CleanupRun.objects.bulk_create(
        CleanupRun(started_at=now - timedelta(hours=number), state="Done") for number in numbers
    )


def cleanup_items(world: World, numbers: Numbers) -> None:
    run, cluster = cleanup_runs(world, [1])[0], the_cluster(world)
    CleanupItem.objects.bulk_create(
        CleanupItem(run=run, virtual_cluster=cluster, action="warn", why=str(number)) for number in numbers
    )


def upgrade_policies(world: World, numbers: Numbers) -> None:
    UpgradePolicy.objects.bulk_create(
        UpgradePolicy(virtual_cluster=each, channel="patch") for each in virtual_clusters(world, numbers)
    )


def rollouts(world: World, numbers: Numbers) -> list[Rollout]:
    rows = (rollout_of(name=f"r-{number}", organization=world.acme, created_by=world.olivia) for number in numbers)
    made = Rollout.objects.bulk_create(rows)
    cluster = the_cluster(world)
    RolloutMember.objects.bulk_create(
        RolloutMember(rollout=each, virtual_cluster=cluster, wave=0, position=0, state="Failed") for each in made
    )
    return made


def rollout_members(world: World, numbers: Numbers) -> None:
    rollout = the_rollout(world)
    RolloutMember.objects.bulk_create(
        RolloutMember(rollout=rollout, virtual_cluster=each, wave=0, position=position)
        for position, each in enumerate(virtual_clusters(world, numbers))
    )


def the_rollout(world: World) -> Rollout:
    return (
        Rollout.objects.filter(name="the-rollout").first()
        or Rollout.objects.bulk_create([rollout_of(name="the-rollout", organization=world.acme)])[0]
    )


def shares(world: World, numbers: Numbers) -> None:
    numbers = list(numbers)
    half = len(numbers) // 2
    subjects: list[dict[str, Any]] = [{"team": each} for each in teams(world, numbers[:half])]
    subjects += [{"service_account": each} for each in service_accounts(world, numbers[half:])]
    cluster = the_cluster(world)
    RoleBinding.objects.bulk_create(RoleBinding(virtual_cluster=cluster, role="viewer", **each) for each in subjects)


def glass_broken(world: World, numbers: Numbers) -> None:
    cluster, end = the_cluster(world), timezone.now() + timedelta(hours=1)
    RoleBinding.objects.bulk_create(
        RoleBinding(virtual_cluster=cluster, role="viewer", user=each, reason="because", expires_at=end)
        for each in users(world, numbers)
    )


def kubeconfig_grants(world: World, numbers: Numbers) -> None:
    cluster, end = the_cluster(world), timezone.now() + timedelta(hours=1)
    KubeconfigGrant.objects.bulk_create(
        KubeconfigGrant(virtual_cluster=cluster, user=each, level="view", expires_at=end)
        for each in users(world, numbers)
    )


def gateway_tokens(world: World, numbers: Numbers) -> None:
    cluster, end = the_cluster(world), timezone.now() + timedelta(days=1)
    GatewayToken.objects.bulk_create(
        GatewayToken(
            virtual_cluster=cluster,
            user=each.user,
            created_by=world.olivia,
            level="view",
            name="t",
            prefix=each.name[-8:].rjust(8, "0"),
            digest="0" * 64,
            expires_at=end,
        )
        for each in service_accounts(world, numbers)
    )


def exports(world: World, numbers: Numbers) -> None:
    cluster = the_cluster(world)
    people = users(world, numbers)
    where = {"project": world.payments, "organization": world.acme, "virtual_cluster": cluster}
    Export.objects.bulk_create(Export(cause="request", requested_by=each, **where) for each in people)


def cluster_uses(world: World, numbers: Numbers) -> None:
    cluster, now = the_cluster(world), timezone.now()
    ClusterUse.objects.bulk_create(
        ClusterUse(virtual_cluster=cluster, user=each, client="kubectl", last_used_at=now, last_read_at=now, reads=1)
        for each in users(world, numbers)
    )


def known_writers(world: World, numbers: Numbers) -> None:
    cluster, now = the_cluster(world), timezone.now()
    KnownWriter.objects.bulk_create(
        KnownWriter(
            virtual_cluster=cluster,
            manager=f"w-{each.handle}",
            first_seen_at=now,
            last_write_at=now,
            verdict="inside",
            corrected="person",
            corrected_by=each,
        )
        for each in users(world, numbers)
    )


def gateway_requests(world: World, numbers: Numbers) -> None:
    cluster = the_cluster(world)
    GatewayRequest.objects.bulk_create(request_row(cluster, world.olivia, name=f"pod-{number}") for number in numbers)


def the_cluster(world: World) -> VirtualCluster:
    """The one of which there are many shares."""
    return VirtualCluster.objects.first() or virtual_clusters(world, [MANY_MORE])[0]


def the_webhook(world: World) -> Webhook:
    """The one of which there are many deliveries."""
    return Webhook.objects.first() or webhooks(world, [MANY_MORE])[0]


def the_service_account(world: World) -> ServiceAccount:
    """The one of which there are many tokens."""
    return ServiceAccount.objects.first() or service_accounts(world, [MANY_MORE])[0]


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
    "service-accounts": service_accounts,
    "service-accounts/{pk}/tokens": service_account_tokens,
    "federation-rules": federation_rules,
    "group-mappings": group_mappings,
    "invitations": invitations,
    "join-requests": join_requests,
    "projects/joinable": projects,
    "notifications": notifications,
    "sessions": sessions,
    "audit-events": audit_events,
    "webhooks": webhooks,
    "webhooks/{webhook}/deliveries": webhook_deliveries,
    "region-offers": region_offers,
    "sleep-schedules": sleep_schedules,
    "lifecycle-policies": lifecycle_policies,
    "cleanup/runs": cleanup_runs,
    "cleanup/items": cleanup_items,
    "upgrade-policies": upgrade_policies,
    "rollouts": rollouts,
    "rollouts/{rollout}/members": rollout_members,
    "virtual-clusters/{cluster}/shares": shares,
    "virtual-clusters/{cluster}/break-glass": glass_broken,
    "virtual-clusters/{cluster}/exports": exports,
    "exports": exports,
    "virtual-clusters/{cluster}/uses": cluster_uses,
    "virtual-clusters/{cluster}/writers": known_writers,
    "gateway-requests": gateway_requests,
    "virtual-clusters/{pk}/kubeconfigs": kubeconfig_grants,
    "virtual-clusters/{cluster}/gateway-tokens": gateway_tokens,
}
"""What makes so many rows of a list, that olivia (admin of acme, and here platform staff too) sees."""

ABOVE: dict[str, Callable[[World], Organization | Rollout | VirtualCluster | Webhook | ServiceAccount]] = {
    "organizations": lambda world: world.acme,
    "rollouts": the_rollout,
    "service-accounts": the_service_account,
    "virtual-clusters": the_cluster,
    "webhooks": the_webhook,
}
"""Of a list below one object: that object, by the noun that its address begins with."""


def address_of(world: World, path: str) -> str:
    """The list's path with the id of the object that it is below."""
    before, brace, behind = path.partition("{")
    if not brace:
        return path
    key: UUID = ABOVE[before.partition("/")[0]](world).pk
    return f"{before}{key}{behind.partition('}')[2]}"
