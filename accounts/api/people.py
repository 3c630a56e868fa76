"""Users and teams named in a body. Only after it is clear that the sender may give roles: else this could be probed."""

from accounts.errors import InvalidInput
from accounts.models import Organization, Team, User
from accounts.selectors import team_named, user_named


def user_given(text: str, field: str) -> User:
    """The user with this handle or id. Raises InvalidInput naming the field."""
    user = user_named(text)
    if user is None:
        raise InvalidInput(f"There is no user {text[:40]!r}.", field=field, accepted="a user's handle or id")
    return user


def users_given(texts: list[str], field: str) -> list[User]:
    """The users with these handles or ids."""
    return [user_given(text, f"{field}[{index}]") for index, text in enumerate(texts)]


def team_given(organization: Organization, text: str, field: str) -> Team:
    """The organization's team with this name or id. Raises InvalidInput naming the field."""
    team = team_named(organization, text)
    if team is None:
        raise InvalidInput(
            f"{organization.name} has no team {text[:40]!r}.", field=field, accepted="a team's name or id"
        )
    return team
