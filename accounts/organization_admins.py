"""Who can be asked: the people who look after an organization."""

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from accounts.models import Organization, RoleBinding, User


def organization_admins_now(organization: Organization) -> QuerySet[User]:
    """People who are its admins at the moment, by handle: those by a team or only for a while, too.

    Who has to last is `organization_lasting_admins` of the services.
    """
    admins = RoleBinding.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()), organization=organization, role="admin"
    )
    by_team = Q(teams__in=admins.values("team"))
    return (
        User.objects.filter(Q(pk__in=admins.values("user")) | by_team, is_active=True, is_service_account=False)
        .distinct()
        .order_by("handle")
    )


def admins_told(organization: Organization, *, most: int = 3) -> str:
    """Their handles for a sentence: "ada, ben, cleo and 2 others"; "" where there is none."""
    handles = list(organization_admins_now(organization).values_list("handle", flat=True))
    more = len(handles) - most
    if more > 0:
        return f"{', '.join(handles[:most])} and {more} other{'' if more == 1 else 's'}"
    return " and ".join(filter(None, (", ".join(handles[:-1]), "".join(handles[-1:]))))
