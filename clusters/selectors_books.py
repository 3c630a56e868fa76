"""Reading what gateways wrote down: who uses a virtual cluster, and single requests."""

from functools import cache
from typing import Any

from django.db.models import Case, CharField, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Cast, JSONObject

from accounts.access import in_reach, organizations_where, projects_where
from accounts.errors import NotAllowed
from accounts.models import User
from accounts.roles import roles_that_may
from accounts.selectors import uuid_of
from clusters.models import ClusterUse, GatewayRequest, VirtualCluster


def cluster_uses_list(cluster: VirtualCluster) -> QuerySet[ClusterUse]:
    """Who uses it with what, for who sees the cluster."""
    return ClusterUse.objects.filter(virtual_cluster=cluster).select_related("user")


def with_last_use(clusters: QuerySet[VirtualCluster]) -> QuerySet[VirtualCluster]:
    """Each with `last_used_at` and `last_used_by` (id, handle, name, client), without a query of its own."""
    return clusters.annotate(**_last_use())


@cache
def _last_use() -> dict[str, Subquery]:
    newest = ClusterUse.objects.filter(virtual_cluster=OuterRef("pk")).order_by("-last_used_at")
    by = JSONObject(
        id=Cast("user_id", CharField()),
        handle=F("user__handle"),
        name=Case(When(user__is_service_account=True, then=F("user__name")), default=F("user__handle")),
        client=F("client"),
    )
    return {
        "last_used_at": Subquery(newest.values("last_used_at")[:1]),
        "last_used_by": Subquery(newest.values(by=by)[:1]),
    }


def gateway_requests_visible_to(user: User) -> QuerySet[GatewayRequest]:
    """Those of the organizations that the user audits, and of the projects whose settings are theirs to change."""
    return GatewayRequest.objects.filter(_readable(user))


def _readable(user: User, *, organization: str = "organization_id", project: str = "project_id") -> Q:
    audited = organizations_where(user, "organization.audit").values("pk")
    own = projects_where(user, "project.update").values("pk")
    return Q(**{f"{organization}__in": audited}) | Q(**{f"{project}__in": own})


def gateway_requests_require(user: User, cluster: str = "") -> None:
    """Lets pass who may read those of this cluster (id or organization/project/name), or of any where none is named.

    Raises NotAllowed, with the roles that it takes. A cluster that the user does not even see passes: the list of its
    requests is empty, as for one that is not there.
    """
    if cluster:
        seen = clusters_named(cluster).filter(in_reach(user, "virtualcluster.view"))
        may = _readable(user, organization="project__organization", project="project")
        if not seen.exists() or seen.filter(may).exists():
            return
    elif organizations_where(user, "organization.audit").exists() or projects_where(user, "project.update").exists():
        return
    raise NotAllowed(
        "You may not read the record of requests " + ("to this virtual cluster." if cluster else "to any cluster."),
        hint=f"It takes one of these roles: {', '.join(sorted(_roles()))}.",
        action="organization.audit",
    )


def _roles() -> set[str]:
    return {*roles_that_may("organization.audit"), *roles_that_may("project.update")}


def clusters_named(text: str) -> QuerySet[VirtualCluster]:
    """Those with this id, or written organization/project/name; deleted ones too."""
    if key := uuid_of(text):
        return VirtualCluster.objects.filter(pk=key)
    organization, project, name = [*text.split("/"), "", "", ""][:3]
    named: dict[str, Any] = {
        "project__organization__name": organization,
        "project__name": project,
        "name": name,
    }
    return VirtualCluster.objects.filter(**named)
