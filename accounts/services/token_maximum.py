"""How long tokens may hold: the platform's maximum, and the smallest of the organizations that a token reaches."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.errors import InvalidInput
from accounts.models import AccessToken, Organization, Project, RoleBinding, Team, User
from accounts.services.audit import Actor, audit_record
from accounts.spans import span_words, spans_accepted

TOKEN_MINIMUM_SECONDS: Final = 60
_DAY: Final = 86400


def token_seconds(*, holder: User, projects: Sequence[Project], wanted: int | None, now: datetime) -> int:
    """What was asked for, or (None) the default as far as that may be. Raises InvalidInput that says whose rule it is.

    `projects`: those that the token is limited to.
    """
    most, by = token_maximum(holder=holder, projects=projects, now=now)
    if wanted is None:
        return min(int(settings.ACCESS_TOKEN_DEFAULT_SECONDS), most)
    if not TOKEN_MINIMUM_SECONDS <= wanted <= most:
        told = f" ({by.name} allows {by.token_maximum_days} days at most)" if by else ""
        raise InvalidInput(
            f"A token cannot be valid for {span_words(wanted)}{told}.",
            field="expires_in",
            accepted=spans_accepted(TOKEN_MINIMUM_SECONDS, most),
        )
    return wanted


def token_maximum(*, holder: User, projects: Sequence[Project], now: datetime) -> tuple[int, Organization | None]:
    """In seconds; and the organization whose rule it is, where it is not the platform's."""
    platform = int(settings.ACCESS_TOKEN_MAXIMUM_SECONDS)
    organizations = (
        Organization.objects.filter(pk__in={each.organization_id for each in projects})
        if projects
        else organizations_reached(holder, now=now)
    )
    strictest = organizations.exclude(token_maximum_days=None).order_by("token_maximum_days", "name").first()
    if strictest is None or strictest.token_maximum_days is None:
        return platform, None
    days = strictest.token_maximum_days * _DAY
    return (days, strictest) if days < platform else (platform, None)


def organizations_reached(holder: User, *, now: datetime) -> QuerySet[Organization]:
    """Those in which the holder has any role, also in one project or for one cluster; a service account's own too."""
    bindings = RoleBinding.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=now),
        Q(user=holder)
        | Q(service_account__user=holder)
        | Q(team__in=Team.members.through.objects.filter(user=holder).values("team")),
    )
    return Organization.objects.filter(
        Q(pk__in=bindings.values("organization"))
        | Q(pk__in=bindings.values("project__organization"))
        | Q(pk__in=bindings.values("virtual_cluster__project__organization"))
        | Q(projects__service_accounts__user=holder)
    ).distinct()


@transaction.atomic
def tokens_shorten(*, now: datetime) -> int:
    """Lets tokens that reach an organization end by its maximum, counted from when each was made; says how many.

    For those made before the organization set it, or before their holder got a role there. Run by a schedule.
    """
    found = 0
    for organization in Organization.objects.exclude(token_maximum_days=None):
        most = timedelta(days=organization.token_maximum_days or 0)
        longer = _reaching(organization, now).filter(expires_at__gt=F("created_at") + most + timedelta(minutes=1))
        for token in longer.select_related("user").select_for_update(of=("self",)):
            token.expires_at = token.created_at + most
            token.save(update_fields=["expires_at"])
            _audit_shortened(token, organization)
            found += 1
    return found


def _reaching(organization: Organization, now: datetime) -> QuerySet[AccessToken]:
    projects = organization.projects.values_list("pk", flat=True)
    scopes = (
        Q(organization=organization)
        | Q(project__organization=organization)
        | Q(virtual_cluster__project__organization=organization)
    )
    bindings = RoleBinding.objects.filter(scopes, Q(expires_at=None) | Q(expires_at__gt=now))
    holders = (
        Q(user__in=bindings.values("user"))
        | Q(user__in=bindings.values("service_account__user"))
        | Q(user__in=Team.members.through.objects.filter(team__in=bindings.values("team")).values("user"))
        | Q(user__service_account__project__organization=organization)
    )
    limited = Q(projects__has_any_keys=[str(key) for key in projects])
    return AccessToken.objects.filter((Q(projects=[]) & holders) | limited, revoked_at=None, expires_at__gt=now)


def _audit_shortened(token: AccessToken, organization: Organization) -> None:
    audit_record(
        actor=Actor(user=None, name="marina"),
        action="token.shorten",
        kind="access-token",
        object_id=token.pk,
        name=token.name,
        organization_id=organization.pk,
        details={
            "of": token.user.handle,
            "prefix": token.prefix,
            "expires_at": token.expires_at.isoformat(),
            "token_maximum_days": organization.token_maximum_days,
        },
    )
