"""Who a body names as the owner of a cluster."""

from typing import Any, Final

from rest_framework import serializers

from accounts.models import Project
from accounts.selectors import service_account_named, team_named, user_named
from clusters.services.ownership import Owner, owner_refused

OWNER_HELP: Final = "A handle or id, team:NAME, or service-account:NAME. Whoever owns a cluster has to see it."


class OwnerTextField(serializers.CharField):
    """Names an owner; `owner_given` finds it."""

    accepted = "a handle, team:NAME or service-account:NAME"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=130, required=False, help_text=OWNER_HELP, **kwargs)


def owner_given(text: str, *, project: Project) -> Owner:
    """The one of this name. Raises what the service raises for who does not see the cluster, so nobody is probed."""
    found = _found(text, project)
    if found is None:
        raise owner_refused(project)
    return found


def _found(text: str, project: Project) -> Owner | None:
    kind, colon, name = text.partition(":")
    if not colon or kind == "user":
        return user_named(name if colon else text)
    if kind == "team":
        return team_named(project.organization, name)
    if kind == "service-account":
        account = service_account_named(project.organization, name, project=project)
        return account.user if account else None
    return None
