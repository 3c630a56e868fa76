"""Questions to the request's token where no role is asked for: it still leaves less than its holder could do."""

from copy import copy

from accounts.errors import NotAllowed
from accounts.models import Project, User


def unlimited_require(user: User, what: str) -> None:
    """Lets pass sessions and unlimited tokens, for what is of the person as such and belongs to no role.

    `what` completes "A limited token cannot ...".
    """
    if user.limits is not None:
        raise NotAllowed(
            f"A limited token cannot {what}.", hint="Sign in to the pages, or use a token without limits for it."
        )


def token_leaves(user: User, action: str, project: Project) -> bool:
    """Whether the token leaves this action in this project, to somebody who may do it by other means than a role."""
    return user.limits is None or user.limits.allow_in(action, project.pk)


def without_limits(user: User) -> User:
    """The same person whatever token they came with: for questions about them, never for what they ask for."""
    if user.limits is None:
        return user
    found = copy(user)
    found.limits = None
    return found
