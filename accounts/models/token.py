"""Access tokens: how the command line, scripts and service accounts sign in."""

from uuid import UUID

from django.db import models

from accounts.limits import TokenLimits
from accounts.models.base import Row
from accounts.models.federation import FederationRule
from accounts.models.user import User


class AccessToken(Row):
    """A token of a person or a service account. Only a keyed hash of it is stored; the token itself is shown once.

    It is written `mar_PREFIX_SECRET`; the prefix, which is no secret, finds the row and names the token in lists.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    actions = models.JSONField(
        default=list, editable=False, help_text="The actions that it is limited to; empty: all that its holder may."
    )
    # ids, not rows: when the last of them is deleted the token must not become one for all
    projects = models.JSONField(
        default=list, editable=False, help_text="Ids of the projects that it is limited to; empty: all."
    )
    created_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False, help_text="Empty: Marina."
    )
    federation_rule = models.ForeignKey(
        FederationRule,
        on_delete=models.SET_NULL,
        null=True,
        related_name="tokens",
        editable=False,
        help_text="By which it was given for another issuer's token.",
    )
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # kept, so that whoever still sends it is told that it was revoked
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (mar_{self.prefix}_...)"

    @property
    def limits(self) -> TokenLimits | None:
        """What it leaves of what its holder may; None: all."""
        if not self.actions and not self.projects:
            return None
        projects = frozenset(UUID(key) for key in self.projects)
        return TokenLimits(actions=frozenset(self.actions), projects=projects, token=self.pk)
