"""One object of every kind at one place, each with a name that no refusal of the unseen may hold."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from allauth.usersessions.models import UserSession
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
    Organization,
    Project,
    Role,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
    Webhook,
    WebhookDelivery,
)
from accounts.services.audit import Actor
from accounts.services.invitations import invitation_create
from accounts.services.notifications import About, notification_send
from accounts.services.role_giving import role_put
from accounts.services.roles import role_create
from accounts.services.teams import team_create
from accounts.services.tokens import token_create
from accounts.services.webhooks import webhook_create
from clusters.models import (
    CleanupItem,
    CleanupRun,
    DiscoveredCluster,
    Export,
    ExportState,
    GatewayRequest,
    GatewayToken,
    HostCluster,
    KnownWriter,
    LifecyclePolicy,
    Operation,
    OperationKind,
    OperationState,
    RegionOffer,
    Rollout,
    SleepSchedule,
    UpgradePolicy,
    Verdict,
    VirtualCluster,
)
from clusters.services.cluster_uses import Use, cluster_uses_add
from clusters.services.gateway_requests import gateway_requests_add
from tests.accounts.conftest import MARINA, World, give, person
from tests.accounts.machines import machine
from tests.clusters.export_making import export_row
from tests.clusters.gateway_books import request_row
from tests.clusters.gateway_tokens import static
from tests.clusters.making import operation_row, ready_row
from tests.clusters.rollouts.making import rollout_row

HIDDEN = "hush-hush"
"""In the name of everything: no refusal of the unseen may hold it."""
ISSUER = "https://login.example.org"
KIND = "join-request"


@dataclass(frozen=True)
class Objects:
    """What there is at one place."""

    organization: Organization
    project: Project
    team: Team
    person: User
    token: AccessToken
    binding_in_project: RoleBinding
    binding_in_organization: RoleBinding
    cluster: VirtualCluster
    share: RoleBinding
    grant: RoleBinding
    operation: Operation
    export: Export
    host: HostCluster
    host_operation: Operation
    discovered: DiscoveredCluster
    platform_host: HostCluster
    gateway_token: GatewayToken
    writer: KnownWriter
    machine: ServiceAccount
    machine_token: AccessToken
    federation_rule: FederationRule
    group_mapping: GroupMapping
    invitation: Invitation
    invitation_secret: str
    invitation_to_organization: Invitation
    join_request: JoinRequest
    notification: Notification
    session: UserSession
    webhook: Webhook
    webhook_of_project: Webhook
    delivery: WebhookDelivery
    region_offer: RegionOffer
    region_offer_to_project: RegionOffer
    own_role: Role
    schedule: SleepSchedule
    schedule_of_project: SleepSchedule
    policy: LifecyclePolicy
    policy_of_project: LifecyclePolicy
    policy_of_organization: LifecyclePolicy
    upgrade_policy_of_cluster: UpgradePolicy
    upgrade_policy_of_project: UpgradePolicy
    upgrade_policy_of_organization: UpgradePolicy
    rollout: Rollout
    platform_rollout: Rollout
    cleanup_run: CleanupRun
    cleanup_item: CleanupItem
    gateway_request: GatewayRequest
    audit_event: AuditEvent
    platform_event: AuditEvent
    own_token: AccessToken | None = None
    own_notification: Notification | None = None
    own_session: UserSession | None = None
    notification_kind: str = KIND


def objects_at(world: World, project: Project, host: HostCluster, platform: HostCluster, place: str) -> Objects:
    """Made there; the names tell the places apart."""
    now, organization, name = timezone.now(), project.organization, f"{HIDDEN}-{place}"
    Project.objects.filter(pk=project.pk).update(display_name=HIDDEN)
    Organization.objects.filter(pk=organization.pk).update(display_name=HIDDEN)
    somebody = person(name)
    give(somebody, "viewer", project)
    give(somebody, "member", organization)
    cluster = ready_row(world, host, name[:40], project=project, owner_user=somebody, creator=somebody)
    program = machine(project, name)
    webhook = _webhook(organization, name)
    invited = invitation_create(actor=_inviter(world, organization), scope=project, role="viewer", now=now)
    return Objects(
        organization=organization,
        project=project,
        team=team_create(actor=MARINA, organization=organization, name=name),
        person=somebody,
        token=_token(somebody),
        binding_in_project=RoleBinding.objects.get(user=somebody, project=project),
        binding_in_organization=RoleBinding.objects.get(user=somebody, organization=organization),
        cluster=cluster,
        share=give(person(f"shared-{place}"), "viewer", cluster),
        grant=_glass_broken(world, cluster),
        operation=operation_row(cluster, OperationKind.CONFIGURE, state=OperationState.FAILED, message=HIDDEN),
        export=export_row(cluster, state=ExportState.FAILED, message=HIDDEN),
        host=host,
        host_operation=operation_row(host, OperationKind.RENEW_CREDENTIAL, state=OperationState.FAILED),
        discovered=DiscoveredCluster.objects.create(
            host=host, namespace=name, release="found-here", workload="StatefulSet", seen_at=now
        ),
        platform_host=platform,
        gateway_token=static(somebody, cluster, name=HIDDEN)[0],
        writer=KnownWriter.objects.create(
            virtual_cluster=cluster,
            manager=f"helm-{HIDDEN}",
            first_seen_at=now,
            last_write_at=now,
            verdict=Verdict.PERSON,
        ),
        machine=program,
        machine_token=_token(program.user),
        federation_rule=FederationRule.objects.create(
            service_account=program, name=name, issuer=ISSUER, audience=HIDDEN, claims={"sub": HIDDEN}
        ),
        group_mapping=GroupMapping.objects.create(organization=organization, issuer=ISSUER, group=name, role="member"),
        invitation=invited.invitation,
        invitation_secret=invited.secret,
        invitation_to_organization=invitation_create(
            actor=_inviter(world, organization), scope=organization, role="member", now=now
        ).invitation,
        join_request=JoinRequest.objects.create(project=project, user=_member(f"asks-{place}", organization)),
        notification=told(somebody),
        session=session_of(somebody),
        webhook=webhook,
        webhook_of_project=_webhook(organization, name, project=project),
        delivery=WebhookDelivery.objects.create(
            webhook=webhook, event_id=HIDDEN, type="ping", source=HIDDEN, payload={}, state="Failed", tried_from=now
        ),
        region_offer=RegionOffer.objects.create(region=name, organization=organization),
        region_offer_to_project=RegionOffer.objects.create(region=name, project=project),
        own_role=role_create(actor=MARINA, organization=organization, name=name, actions=["organization.view"]),
        schedule=SleepSchedule.objects.create(virtual_cluster=cluster, sleep_cron="0 20 * * *"),
        schedule_of_project=SleepSchedule.objects.create(project=project, sleep_cron="0 20 * * *"),
        policy=LifecyclePolicy.objects.create(virtual_cluster=cluster, sleep_after=86400),
        policy_of_project=LifecyclePolicy.objects.create(project=project, sleep_after=86400),
        policy_of_organization=LifecyclePolicy.objects.get_or_create(organization=organization, sleep_after=86400)[0],
        upgrade_policy_of_cluster=UpgradePolicy.objects.create(virtual_cluster=cluster, channel="patch"),
        upgrade_policy_of_project=UpgradePolicy.objects.create(project=project, channel="patch"),
        upgrade_policy_of_organization=UpgradePolicy.objects.get_or_create(organization=organization, channel="patch")[
            0
        ],
        rollout=rollout_row(cluster, name=name[:40], organization=organization, project=project),
        platform_rollout=rollout_row(name=name[:40]),
        cleanup_run=(run := CleanupRun.objects.create(started_at=now, state="Done")),
        cleanup_item=CleanupItem.objects.create(run=run, virtual_cluster=cluster, action="warn", why=HIDDEN),
        gateway_request=_request(cluster, somebody),
        audit_event=AuditEvent.objects.filter(organization_id=organization.pk).latest("id"),
        platform_event=AuditEvent.objects.filter(organization_id=None).latest("id"),
    )


def told(recipient: User) -> Notification:
    """Something in somebody's inbox."""
    about = About(kind="project", id=uuid4(), name=HIDDEN)
    return notification_send(recipients=[recipient], kind=KIND, about=about, text=HIDDEN, now=timezone.now())[0]


def session_of(user: User) -> UserSession:
    """Where somebody is signed in."""
    key, now = uuid4().hex, timezone.now()
    Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(days=1))
    return UserSession.objects.create(user=user, session_key=key, ip="192.0.2.1", user_agent=HIDDEN)


def _request(cluster: VirtualCluster, user: User) -> GatewayRequest:
    """Somebody used it."""
    row = request_row(cluster, user, name=HIDDEN)
    gateway_requests_add(requests=[row])
    use = Use(cluster_id=cluster.pk, user_id=user.pk, client="kubectl", writes=1, last_write_at=row.at)
    cluster_uses_add(uses=[use])
    return row


def _token(holder: User) -> AccessToken:
    return token_create(actor=MARINA, user=holder, name=HIDDEN, expires_in=None, now=timezone.now()).token


def _webhook(organization: Organization, name: str, **fields: Project) -> Webhook:
    url = f"https://hooks.example.com/{name}"
    made = webhook_create(actor=MARINA, organization=organization, url=url, events=["*"], description=name, **fields)
    return made.webhook


def _inviter(world: World, organization: Organization) -> Actor:
    return Actor(user=world.olivia if organization == world.acme else world.greta)


def _member(handle: str, organization: Organization) -> User:
    user = person(handle)
    give(user, "member", organization)
    return user


def _glass_broken(world: World, cluster: VirtualCluster) -> RoleBinding:
    now = timezone.now()
    end = now + timedelta(minutes=30)
    return role_put(
        actor=MARINA, subject=world.staff, role="viewer", scope=cluster, expires_at=end, reason=HIDDEN, now=now
    )
