"""Reading people and roles: what somebody may see, with what its readers need, in a fixed number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.access import in_reach, organizations_where, projects_where, tombstones_told
from accounts.models import (
    AccessToken,
    FederationRule,
    GroupMapping,
    Invitation,
    JoinRequest,
    Organization,
    Project,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
)

# from the weakest to the strongest, over both tables; a custom role stands before all but admin
_STRENGTH: Final = ("member", "viewer", "auditor", "developer", "", "admin")


def organizations_visible_to(user: User) -> QuerySet[Organization]:
    """Those in which the user has a role of the organization itself."""
    return organizations_where(user, "organization.view")


def projects_visible_to(user: User) -> QuerySet[Project]:
    """Those in which a role of the project or of its organization shows the project."""
    return projects_where(user, "project.view").select_related("organization", "created_by", "personal_of")


def projects_joinable_by(user: User) -> QuerySet[Project]:
    """Those of the user's organizations that no role shows yet, without anybody's personal one: only names to read."""
    mine = organizations_where(user, "organization.view").values("pk")
    seen = projects_where(user, "project.view").values("pk")
    found = Project.objects.filter(organization__in=mine, personal_of=None).exclude(pk__in=seen)
    return found.select_related("organization")


def join_requests_visible_to(user: User) -> QuerySet[JoinRequest]:
    """One's own (not by a limited token), and those for the projects whose members one looks after."""
    decided_here = projects_where(user, "project.members").values("pk")
    mine = Q(user=user) if user.limits is None else Q()
    rows = JoinRequest.objects.filter(mine | Q(project__in=decided_here))
    return rows.select_related("project__organization", "user", "decided_by")


def invitations_visible_to(user: User) -> QuerySet[Invitation]:
    """Those into what the user may give roles in."""
    organizations = organizations_where(user, "organization.members").values("pk")
    projects = projects_where(user, "project.members").values("pk")
    rows = Invitation.objects.filter(Q(project=None, organization__in=organizations) | Q(project__in=projects))
    return rows.select_related("organization", "project__organization", "created_by", "used_by", "mail").defer(
        "digest", "mail__secret"
    )


def teams_visible_to(user: User) -> QuerySet[Team]:
    """Those of the user's organizations, and those the user is in."""
    seen = Q(organization__in=organizations_visible_to(user).values("pk"))
    if user.limits is None:
        seen |= Q(pk__in=Team.members.through.objects.filter(user=user).values("team"))
    return Team.objects.filter(seen).select_related("organization").prefetch_related("members")


def role_bindings_visible_to(user: User) -> QuerySet[RoleBinding]:
    """Who sees an organization or project sees who has which role in it."""
    return RoleBinding.objects.filter(_in_scopes_of(user)).select_related(
        "user",
        "team__organization",
        "service_account__project__organization",
        "organization",
        "project__organization",
        "virtual_cluster__project__organization",
    )


def organization_tombstones(user: User) -> Q:
    """Of an organization, or of a team in it: for who sees the organization."""
    return Q(organization_id__in=organizations_visible_to(user).values("pk"))


def project_tombstones(user: User) -> Q:
    """Of a project: for who sees projects of its organization. Who had a role in it only lost that with it."""
    return tombstones_told(user, in_project="project.view")


def role_binding_tombstones(user: User) -> Q:
    """Of role bindings: for who sees their organization or project."""
    return tombstones_told(user, in_project="project.view", in_organization="organization.view")


def users_visible_to(user: User) -> QuerySet[User]:
    """Active colleagues: who has a role in, or is in a team of, what the user sees; and the user."""
    bindings = role_bindings_visible_to(user).select_related(None)
    members = Team.members.through.objects
    organizations = organizations_visible_to(user).values("pk")
    seen = (
        Q(pk=user.pk)
        | Q(pk__in=bindings.values("user"))
        | Q(pk__in=members.filter(team__in=bindings.values("team")).values("user"))
        | Q(pk__in=members.filter(team__organization__in=organizations).values("user"))
        | Q(pk__in=RoleBinding.objects.filter(project__organization__in=organizations).values("user"))
    )
    return User.objects.filter(seen, is_active=True, is_service_account=False)


def _in_scopes_of(user: User) -> Q:
    return (
        Q(organization__in=organizations_visible_to(user).values("pk"))
        | Q(project__in=projects_where(user, "project.view").values("pk"))
        | Q(virtual_cluster__in=_clusters_seen(user))
    )


def _clusters_seen(user: User) -> QuerySet[Any, Any]:
    clusters: Any = RoleBinding._meta.get_field("virtual_cluster").related_model
    found: QuerySet[Any, Any] = clusters.objects.filter(in_reach(user, "virtualcluster.view")).values("pk")
    return found


def access_tokens_of(user: User) -> QuerySet[AccessToken]:
    """The user's own tokens, expired ones too, but not those revoked. A limited token shows only itself."""
    found = AccessToken.objects.filter(user=user, revoked_at=None)
    if user.limits is None:
        return found
    return found.filter(pk=user.limits.token) if user.limits.token else found.none()


def service_accounts_visible_to(user: User) -> QuerySet[ServiceAccount]:
    """Those of the projects that the user sees; not the deleted ones."""
    projects = projects_where(user, "project.view").values("pk")
    found = ServiceAccount.objects.filter(project__in=projects, deleted_at=None)
    return found.select_related("project__organization", "user")


def service_account_tokens(account: ServiceAccount) -> QuerySet[AccessToken]:
    """Those that were not revoked, expired ones too."""
    return AccessToken.objects.filter(user=account.user_id, revoked_at=None).select_related("created_by")


def federation_rules_visible_to(user: User) -> QuerySet[FederationRule]:
    """Those of the service accounts that the user sees."""
    accounts = service_accounts_visible_to(user).values("pk")
    found = FederationRule.objects.filter(service_account__in=accounts)
    return found.select_related("service_account__project__organization")


def service_account_written(text: str, *, among: QuerySet[ServiceAccount]) -> ServiceAccount | None:
    """The one with this id, or written organization/project/name."""
    if key := uuid_of(text):
        return among.filter(pk=key).first()
    organization, project, name = [*text.split("/"), "", "", ""][:3]
    named = among.filter(project__organization__name=organization, project__name=project, name=name)
    return named.first() if text.count("/") == 2 else None


def group_mappings_visible_to(user: User) -> QuerySet[GroupMapping]:
    """Those of the organizations whose members the user manages, each with how many `people` it gave something."""
    managed = organizations_where(user, "organization.members").values("pk")
    rows = GroupMapping.objects.filter(organization__in=managed)
    return rows.select_related("organization", "team", "project__organization").annotate(people=Count("grants"))


def user_named(text: str) -> User | None:
    """The user with this id or handle, whoever asks: only for who may give roles."""
    return users_named([text]).get(text)


def users_named(texts: Sequence[str]) -> dict[str, User]:
    """The people with these ids or handles, each by the text that names it; the unknown are left out."""
    keys = {text: key for text in texts if (key := uuid_of(text))}
    users = User.objects.filter(Q(handle__in=texts) | Q(pk__in=keys.values()), is_service_account=False)
    by_handle, by_key = {user.handle: user for user in users}, {user.pk: user for user in users}
    found = {text: by_key.get(keys[text]) if text in keys else by_handle.get(text) for text in texts}
    return {text: user for text, user in found.items() if user is not None}


def team_named(organization: Organization, text: str) -> Team | None:
    """The team of the organization with this id or name."""
    key = uuid_of(text)
    named = Q(name=text) if key is None else Q(pk=key)
    return Team.objects.select_related("organization").filter(named, organization=organization).first()


def service_account_named(organization: Organization, text: str, *, project: Project | None) -> ServiceAccount | None:
    """The service account of the organization with this id, as `project/name`, or (in `project`) with this name."""
    accounts = ServiceAccount.objects.select_related("project__organization", "user")
    within = accounts.filter(project__organization=organization, deleted_at=None)
    if (key := uuid_of(text)) is not None:
        return within.filter(pk=key).first()
    place, slash, name = text.rpartition("/")
    if slash:
        return within.filter(project__name=place.rpartition("/")[2], name=name).first()
    return within.filter(project=project, name=text).first() if project else None


def uuid_of(text: str) -> UUID | None:
    """The id that is written there, if one is."""
    try:
        return UUID(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Places:
    """Where somebody works: each organization and project with the strongest of their roles in it."""

    organizations: list[tuple[Organization, str]]
    projects: list[tuple[Project, str]]


def places_of(user: User, *, now: datetime) -> Places:
    """Everything the user sees, by name. In a project the role may come from its organization."""
    roles: dict[UUID | None, list[str]] = {}
    held = (
        Q(user=user)
        | Q(service_account__user=user)
        | Q(team__in=Team.members.through.objects.filter(user=user).values("team"))
    )
    for binding in RoleBinding.objects.filter(held, Q(expires_at=None) | Q(expires_at__gt=now)):
        roles.setdefault(binding.organization_id or binding.project_id, []).append(binding.role)
    organizations = organizations_visible_to(user).order_by("name")
    projects = projects_visible_to(user).order_by("organization__name", "name")
    return Places(
        [(each, _strongest(roles.get(each.pk, []))) for each in organizations],
        [(each, _strongest(roles.get(each.pk, []) + roles.get(each.organization_id, []))) for each in projects],
    )


def _strongest(roles: Iterable[str]) -> str:
    return max(roles, key=lambda role: _STRENGTH.index(role if role in _STRENGTH else ""), default="")
