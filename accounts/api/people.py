"""Users and teams named in a body. Only after it is clear that the sender may give roles: else this could be probed."""

from accounts.errors import InvalidInput
from accounts.models import Organization, Team, User
from accounts.selectors import team_named, user_named, users_named


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
