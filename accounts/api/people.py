"""Users and teams named in a body. Only after it is clear that the sender may give roles: else this could be probed."""

from typing import Any

from accounts.access import Scope
from accounts.errors import InvalidInput
from accounts.models import Organization, Project, ServiceAccount, Team, User
from accounts.selectors import service_account_named, team_named, user_named, users_named
from accounts.services.permissions import Subject, organization_of
from accounts.services.role_bindings import outsider_refused


def user_given(text: str, field: str) -> User:
    """The user with this handle or id. Raises InvalidInput naming the field."""
    user = user_named(text)
    if user is None:
        raise _unknown(text, field)
    return user


def users_given(texts: list[str], field: str) -> list[User]:
    """The users with these handles or ids, found with one query. Raises InvalidInput naming the first unknown one."""
    found = users_named(texts)
    for index, text in enumerate(texts):
        if text not in found:
            raise _unknown(text, f"{field}[{index}]")
    return [found[text] for text in texts]


def _unknown(text: str, field: str) -> InvalidInput:
    return InvalidInput(f"There is no user {text[:40]!r}.", field=field, accepted="a user's handle or id")


def team_given(organization: Organization, text: str, field: str) -> Team:
    """The organization's team with this name or id. Raises InvalidInput naming the field."""
    team = team_named(organization, text)
    if team is None:
        raise InvalidInput(
            f"{organization.name} has no team {text[:40]!r}.", field=field, accepted="a team's name or id"
        )
    return team


def service_account_given(
    organization: Organization, text: str, field: str, *, project: Project | None
) -> ServiceAccount:
    """The organization's service account with this id, as project/name, or with this name in `project`."""
    account = service_account_named(organization, text, project=project)
    if account is None:
        raise InvalidInput(
            f"There is no service account {text[:80]!r} there.",
            field=field,
            accepted="a service account's id, its name in the project, or project/name",
        )
    return account


def subject_given(body: dict[str, Any], scope: Scope) -> Subject:
    """Who a body means by its one field of `user`, `team` and `service_account`. Raises InvalidInput naming it."""
    organization = organization_of(scope)
    if "team" in body:
        return team_given(organization, body["team"], "team")
    if "service_account" in body:
        project = None if isinstance(scope, Organization) else scope if isinstance(scope, Project) else scope.project
        return service_account_given(organization, body["service_account"], "service_account", project=project)
    user = user_named(body["user"])
    if user is None:
        raise _unknown(body["user"], "user") if isinstance(scope, Organization) else outsider_refused(organization)
    return user
