"""Which actions of the role table stand before what can be done to this app's objects."""

from collections.abc import Sequence
from typing import Final

from django.db.models import Q, QuerySet

from accounts.access import (
    held,
    in_reach,
    organizations_where,
    platform_staff,
    projects_where,
    require,
    token_allows,
)
from accounts.errors import NotAllowed, NotFound
from accounts.models import KubeconfigCeiling, Organization, Project, User
from accounts.roles import roles_that_may
from accounts.services.audit import Actor
from clusters.models import DiscoveredCluster, HostCluster, HostScope, Operation, OperationKind, RegionOffer

_BEGUN_BY_STAFF: Final = (
    OperationKind.ADOPT,
    OperationKind.MIGRATE,
    OperationKind.PREFLIGHT,
    OperationKind.RECOVER,
    OperationKind.REMOVE_PLACEMENT,
)


def hosts_visible(user: User) -> QuerySet[HostCluster]:
    """The hosts a user may see: all for platform staff, else those offered to where the user works."""
    if platform_staff(user):
        return HostCluster.objects.all()
    if not (token_allows(user, "host.view") or token_allows(user, "project.view")):
        return HostCluster.objects.none()
    projects = projects_where(user, "project.view")
    # who works in a project may name any host that is offered to it, also where that is by its organization
    organizations = Organization.objects.filter(
        Q(pk__in=organizations_where(user, "host.view").values("pk")) | Q(pk__in=projects.values("organization"))
    )
    return HostCluster.objects.filter(_offered(organizations, projects))


def hosts_offered(project: Project) -> QuerySet[HostCluster]:
    """The hosts on which a project's virtual clusters may be placed."""
    return HostCluster.objects.filter(
        _offered(Organization.objects.filter(pk=project.organization_id), Project.objects.filter(pk=project.pk))
    )


def _offered(organizations: QuerySet[Organization], projects: QuerySet[Project]) -> Q:
    """An organization's own hosts, those offered by name or with their region, and those offered to all."""
    hosts = HostCluster.objects
    own = Q(organization__in=organizations.values("pk"))
    named = Q(pk__in=hosts.filter(offered_to_organizations__in=organizations.values("pk")).values("pk")) | Q(
        pk__in=hosts.filter(offered_to_projects__in=projects.values("pk")).values("pk")
    )
    regions = RegionOffer.objects.filter(
        Q(organization__in=organizations.values("pk")) | Q(project__in=projects.values("pk"))
    )
    of_region = Q(scope=HostScope.PLATFORM, region__in=regions.values("region"))
    return own | named | of_region | Q(offered_to_all=True)


def region_offers_visible(user: User) -> QuerySet[RegionOffer]:
    """Which regions are offered: to platform staff all of it, else what is offered to where the user works."""
    if platform_staff(user):
        return RegionOffer.objects.all()
    return RegionOffer.objects.filter(
        Q(organization__in=organizations_where(user, "host.view").values("pk"))
        | Q(project__in=projects_where(user, "project.view").values("pk"))
    )


def host_require(user: User, action: str, host: HostCluster) -> None:
    """Lets platform staff pass, and for an organization's own host those whose role there holds `action`."""
    if platform_staff(user):
        return
    if host.organization is not None and organizations_where(user, action).filter(pk=host.organization.pk).exists():
        return
    if not hosts_visible(user).filter(pk=host.pk).exists():
        raise NotFound("There is no such host cluster, or it is not offered to you.")
    raise NotAllowed(f"You may not do {action} to {host.name}.", hint=_who(action, host), action=action, subject=host)


def organizations_running_hosts(user: User) -> QuerySet[Organization]:
    """Those whose own hosts the user looks after, and of whose hosts the user may see what is inside."""
    return organizations_where(user, "host.update")


def host_connect_require(user: User, organization: Organization | None) -> None:
    """Who may connect a host: platform staff, and for an organization's own host its admins."""
    if platform_staff(user):
        return
    if organization is not None and organizations_where(user, "host.connect").filter(pk=organization.pk).exists():
        return
    raise NotAllowed(
        "You may not connect a host cluster here.",
        hint=f"It takes platform staff, or for its own host: {', '.join(roles_that_may('host.connect'))}.",
        action="host.connect",
        subject=organization,
    )


def host_offer_require(
    user: User, owner: Organization | None, organizations: Sequence[Organization], projects: Sequence[Project]
) -> None:
    """Platform staff offer a host to anybody; others an organization's host only within that organization.

    To see another tenant is not enough: what that tenant then runs would run on this one's hardware.
    """
    if platform_staff(user):
        return
    key = owner.pk if owner else None
    others = [f"organizations[{index}]" for index, each in enumerate(organizations) if each.pk != key]
    others += [f"projects[{index}]" for index, each in enumerate(projects) if each.organization_id != key]
    if others:
        within = f" within {owner.name}" if owner else ""
        raise NotAllowed(
            f"You may offer this host{within} only.",
            hint="It takes platform staff to offer it elsewhere.",
            field=f"offered_to.{others[0]}",
        )


def _who(action: str, host: HostCluster) -> str:
    if host.organization is None:
        return "The host belongs to the platform; it takes platform staff."
    return f"It takes platform staff, or {', '.join(roles_that_may(action))} of {host.organization.name}."


def clusters_told(actor: Actor) -> Q:
    """Of virtual clusters: those that a refusal may name to who looks after their host.

    Platform staff hear of all; on an organization's own host its admins hear of those that a role shows them.
    """
    if actor.user is None or actor.platform or platform_staff(actor.user):
        return Q()
    return in_reach(actor.user, "virtualcluster.view")


def discovered_visible(user: User) -> QuerySet[DiscoveredCluster]:
    """What was found on the hosts that a user looks after: all for platform staff, else those of their organization."""
    if platform_staff(user):
        return DiscoveredCluster.objects.all()
    return DiscoveredCluster.objects.filter(host__organization__in=organizations_running_hosts(user).values("pk"))


def operations_visible(user: User) -> QuerySet[Operation]:
    """Operations of the projects a user may look into; for platform staff also those of hosts.

    A tenant's is shown to staff by a role, broken glass included, or to superusers by the admin site; not here.
    """
    mine = in_reach(user, "operation.view", cluster="virtual_cluster")
    of_hosts = Q(project__isnull=True, host__in=hosts_visible(user).values("pk"))
    if platform_staff(user):
        # they hand what was found on a host over to a tenant, empty hosts, and see through what they began
        begun = Q(kind__in=_BEGUN_BY_STAFF, requested_by=user)
        return Operation.objects.filter(mine | begun | Q(project__isnull=True))
    own_hosts = Q(host__organization__in=organizations_where(user, "host.update").values("pk"))
    return Operation.objects.filter(mine | (of_hosts & own_hosts))


def operation_require(user: User, action: str, operation: Operation) -> None:
    """A tenant's operation takes the project's role; a host's takes whoever may update the host."""
    if operation.project is not None:
        require(user, action, operation.virtual_cluster or operation.project)
    elif operation.host is not None:
        host_require(user, "host.update", operation.host)


KUBECONFIG_LEVELS: Final = ("admin", "view")
"""From the highest to the lowest; what each is inside a cluster stands in provisioning/steps/kubeconfig.py."""


_CEILINGS: Final = {
    "admin": (KubeconfigCeiling.ADMIN,),
    "view": (KubeconfigCeiling.ADMIN, KubeconfigCeiling.VIEW),
}
"""Under which ceilings each level is given."""


def kubeconfig_held() -> Q:
    """Of grants of direct kubeconfigs: those whose user may still have one of that level.

    By role, by both ceilings, and where the project gives out direct ones.
    """
    found = Q()
    for level, ceilings in _CEILINGS.items():
        may = held(f"virtualcluster.kubeconfig.{level}", project="virtual_cluster__project")
        for column in ("virtual_cluster__kubeconfig_ceiling", "virtual_cluster__project__kubeconfig_ceiling"):
            may &= Q(**{f"{column}__in": ceilings})
        found |= Q(level=level) & may
    return found & Q(virtual_cluster__project__direct_kubeconfigs=True)


def gateway_token_held() -> Q:
    """Of static gateway tokens: those whose user still has a role that gives any level there."""
    levels = [f"virtualcluster.kubeconfig.{level}" for level in KUBECONFIG_LEVELS]
    first, second = (held(action, project="virtual_cluster__project") for action in levels)
    return first | second
