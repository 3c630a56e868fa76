"""What a token may do at most: less than its holder, never more."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.roles import ORGANIZATION_ACTIONS

PLATFORM: Final = "platform"
"""In a token's actions: it also has its holder's powers as platform staff."""

TOKEN_ACTIONS: Final = (*ORGANIZATION_ACTIONS, PLATFORM)
"""The actions that a token can be limited to."""


@dataclass(frozen=True, kw_only=True)
class TokenLimits:
    """What the request's token leaves of what its holder may do. Only what accounts/access.py intersects with it.

    `actions`: only these; empty: all. `projects`: only in these, and nothing of organizations themselves; empty:
    everywhere. `token` is the token's own id.
    """

    actions: frozenset[str] = frozenset()
    projects: frozenset[UUID] = frozenset()
    token: UUID | None = None

    def allow(self, action: str) -> bool:
        """Whether the token leaves this action at all, wherever that may be."""
        return not self.actions or action in self.actions

    def allow_in(self, action: str, project: UUID) -> bool:
        """Whether the token leaves this action in this project."""
        return self.allow(action) and (not self.projects or project in self.projects)

    @property
    def platform(self) -> bool:
        """Whether the powers of platform staff are left: they reach beyond any project."""
        return not self.projects and self.allow(PLATFORM)
