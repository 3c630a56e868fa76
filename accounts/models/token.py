"""Personal access tokens: how the command line and scripts sign in."""

from django.db import models

from accounts.models.base import Row
from accounts.models.user import User


class AccessToken(Row):
    """A token a person made. Only a keyed hash of it is stored; the token itself is shown once.

    It is written `mar_PREFIX_SECRET`; the prefix, which is no secret, finds the row and names the token in lists.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # kept, so that whoever still sends it is told that it was revoked
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (mar_{self.prefix}_...)"
