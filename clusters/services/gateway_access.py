"""Whom the gateway lets in, to which virtual cluster and at which level: the only questions that it asks of anybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.contrib.postgres.expressions import ArraySubquery
from django.db import DatabaseError, transaction
from django.db.models import Exists, OuterRef, Q

from accounts.access import UNSEEN, require
from accounts.actions_given import Given, actions_given
from accounts.errors import Gone, NotAllowed, NotAuthenticated, NotFound
from accounts.limits import TokenLimits
from accounts.models import AccessToken, RoleBinding, Team, User
from accounts.services.tokens import token_use_note
from clusters.access import KUBECONFIG_LEVELS
from clusters.gateway_presented import GET_ONE, Presented, token_presented
from clusters.models import GatewayToken, VirtualCluster, VirtualClusterPhase
from clusters.services.ceilings import ceiling_check, within_ceiling

log = structlog.get_logger(__name__)

_VIEW: Final = "virtualcluster.view"
_OF_LEVEL: Final = {level: f"virtualcluster.kubeconfig.{level}" for level in KUBECONFIG_LEVELS}
_ACTIONS: Final = (_VIEW, *_OF_LEVEL.values())
_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who may, as far as the gateway has to know: as whom they act inside, and what to write down. No secret in it."""

    user_id: UUID
    handle: str
    name: str
    """What people call them; the handle where they have no other name."""
    service_account: bool
    team_ids: tuple[UUID, ...]
    """Their teams in the cluster's organization, in a fixed order."""
    level: str
    """admin or view: the highest that role, ceilings, and token leave."""
    token: str
    """Its kind and what names it, such as `mar_ab12cd34` or `mgt_` with its id: for logs."""
    token_prefix: str
    """Of the access token or static token that stands behind it, for audit rows; empty where a session does."""
    access_token_id: UUID | None
    gateway_token_id: UUID | None
    cluster_id: UUID
    cluster_name: str
    """organization/project/name."""
    project_id: UUID
    organization_id: UUID
    broken_glass: bool
    """One of the platform staff who broke the glass: each request is written down, whatever the project says."""
    until: datetime | None
    """When their access ends by itself, with what stands behind it: streams are closed then. None: not by itself."""
    token_until: datetime
    """From when on this token opens nothing new. A short-lived one is renewed meanwhile and ends no open stream."""


def caller_of(*, presented: str, cluster_id: UUID, now: datetime) -> Caller:
    """Who it is that presents this token (what follows `Bearer `), if they may into this cluster: by three queries.

    Raises NotAuthenticated where the token opens nothing (here); NotFound for what is not there and for what they do
    not see; Gone for a deleted cluster that they saw; NotAllowed, naming the roles or whose ceiling it is.
    """
    token = token_presented(presented, now=now)
    if token.cluster_id not in (None, cluster_id):
        raise NotAuthenticated("This token is for another virtual cluster.", hint=GET_ONE)
    cluster = _cluster(cluster_id, token.user, now)
    if cluster is None:
        raise NotFound(UNSEEN)
    (given,) = actions_given(asked=[(token.user.pk, cluster)], actions=_ACTIONS, now=now).values()
    if cluster.phase == VirtualClusterPhase.DELETED:
        raise deleted_cluster(cluster) if _leaves(token.limits, given, _VIEW, cluster) else NotFound(UNSEEN)
    level = _level(given, token.limits, cluster, at_most=token.level)
    if level is None:
        raise _refusal(token, cluster)
    _use_note(token, now)
    return _caller(token, cluster, level, role_until=given[_OF_LEVEL[level]])


def callers_still(*, callers: Sequence[Caller], now: datetime) -> set[Caller]:
    """Those of them that still may at their level and are still in their teams, whatever else has changed.

    By six queries, however many they are; for open streams.
    """
    if not callers:
        return set()
    facts = _Facts.of(callers, now)
    return {caller for caller in callers if facts.allow(caller)}


# --- what they may ----------------------------------------------------------------------------------------------------


def _cluster(cluster_id: UUID, user: User, now: datetime) -> VirtualCluster | None:
    """With what a Caller tells of its user there: read along, so that it costs no query of its own."""
    teams = Team.objects.filter(members=user, organization=OuterRef("project__organization")).order_by("pk")
    glass = RoleBinding.objects.filter(user=user, virtual_cluster=OuterRef("pk"), expires_at__gt=now).exclude(reason="")
    rows = VirtualCluster.objects.select_related("project__organization")
    return (
        rows.filter(pk=cluster_id)
        .annotate(teams_of_user=ArraySubquery(teams.values("pk")), glass_of_user=Exists(glass))
        .first()
    )


def _leaves(limits: TokenLimits | None, given: Given, action: str, cluster: VirtualCluster) -> bool:
    return action in given and (limits is None or limits.allow_in(action, cluster.project_id))


def _level(given: Given, limits: TokenLimits | None, cluster: VirtualCluster, *, at_most: str) -> str | None:
    for level in KUBECONFIG_LEVELS[KUBECONFIG_LEVELS.index(at_most) :]:
        if within_ceiling(level, cluster) and _leaves(limits, given, _OF_LEVEL[level], cluster):
            return level
    return None


def _refusal(token: Presented, cluster: VirtualCluster) -> NotAllowed:
    """Why not, as it is said to who asks for any other kubeconfig; raises NotFound to who does not see the cluster."""
    lowest = KUBECONFIG_LEVELS[-1]
    token.user.limits = token.limits
    require(token.user, _OF_LEVEL[lowest], cluster)
    ceiling_check(lowest, cluster)
    return NotAllowed(f"Your token gives {token.level} in {cluster} at most, and your role does not give that.")


def deleted_cluster(cluster: VirtualCluster) -> Gone:
    """What is said of a deleted cluster to who saw it."""
    when = f" at {cluster.deleted_at:%Y-%m-%d %H:%M} UTC" if cluster.deleted_at else ""
    name = f"{cluster.name} --project {cluster.project}"
    return Gone(
        f"The virtual cluster {cluster} was deleted{when}.",
        hint=f"If there is another of its name by now, `marina get {name}` shows it and `marina kubeconfig {name}` "
        "opens it.",
    )


def _caller(token: Presented, cluster: Any, level: str, *, role_until: datetime | None) -> Caller:
    user, ends = token.user, [end for end in (token.until, role_until) if end is not None]
    return Caller(
        user_id=user.pk,
        handle=user.handle,
        name=user.name or user.handle,
        service_account=user.is_service_account,
        team_ids=tuple(cluster.teams_of_user),
        level=level,
        token=token.told,
        token_prefix=token.prefix,
        access_token_id=token.access_token.pk if token.access_token else None,
        gateway_token_id=token.gateway_token.pk if token.gateway_token else None,
        cluster_id=cluster.pk,
        cluster_name=str(cluster),
        project_id=cluster.project_id,
        organization_id=cluster.project.organization_id,
        broken_glass=cluster.glass_of_user,
        until=min(ends, default=None),
        token_until=min([token.token_until, *ends]),
    )


def _use_note(token: Presented, now: datetime) -> None:
    """At most once a minute, so that reading does not mean writing. A database that takes no notes keeps nobody out."""
    noted = token.gateway_token or token.access_token
    if noted is None or (noted.last_used_at is not None and now - noted.last_used_at < _USE_NOTED_EVERY):
        return
    try:
        with transaction.atomic():
            if isinstance(noted, AccessToken):
                token_use_note(token=noted, now=now)
            else:
                stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
                GatewayToken.objects.filter(stale, pk=noted.pk).update(last_used_at=now)
    except DatabaseError as error:
        log.warning("the use of a token was not noted", by_token=token.told, error=str(error).strip())


# --- many at once -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What is now so of the users, tokens and clusters that some callers named."""

    users: set[UUID]
    access_tokens: dict[UUID, AccessToken]
    gateway_tokens: set[UUID]
    clusters: dict[UUID, VirtualCluster]
    teams: set[tuple[UUID, UUID]]
    given: Mapping[tuple[UUID, UUID], Given]

    @classmethod
    def of(cls, callers: Sequence[Caller], now: datetime) -> "_Facts":
        users = {caller.user_id for caller in callers}
        usable = Q(revoked_at=None, expires_at__gt=now)
        access = {caller.access_token_id for caller in callers if caller.access_token_id is not None}
        static = {caller.gateway_token_id for caller in callers if caller.gateway_token_id is not None}
        clusters = VirtualCluster.objects.exclude(phase=VirtualClusterPhase.DELETED).select_related("project")
        memberships = Team.members.through.objects.filter(user__in=users)
        there = clusters.in_bulk({caller.cluster_id for caller in callers})
        pairs = {(caller.user_id, caller.cluster_id) for caller in callers}
        asked = [(user, there[cluster]) for user, cluster in pairs if cluster in there]
        return cls(
            users=set(User.objects.filter(pk__in=users, is_active=True).values_list("pk", flat=True)),
            access_tokens=AccessToken.objects.filter(usable).in_bulk(access),
            gateway_tokens=set(GatewayToken.objects.filter(usable, pk__in=static).values_list("pk", flat=True)),
            clusters=there,
            teams=set(memberships.values_list("user", "team")),
            given=actions_given(asked=asked, actions=_OF_LEVEL.values(), now=now),
        )

    def allow(self, caller: Caller) -> bool:
        """Whether nothing has gone that the caller was let in by."""
        cluster = self.clusters.get(caller.cluster_id)
        if cluster is None or caller.user_id not in self.users:
            return False
        if caller.gateway_token_id is not None and caller.gateway_token_id not in self.gateway_tokens:
            return False
        if caller.access_token_id is not None and caller.access_token_id not in self.access_tokens:
            return False
        if any((caller.user_id, team) not in self.teams for team in caller.team_ids):
            return False
        token = self.access_tokens.get(caller.access_token_id) if caller.access_token_id else None
        given = self.given[caller.user_id, cluster.pk]
        return _level(given, token.limits if token else None, cluster, at_most=caller.level) == caller.level
