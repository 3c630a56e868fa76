"""Static tokens for the gateway: what a kubeconfig carries where no program can renew one."""

from typing import Any, ClassVar

from django.db import models

from accounts.models import AccessToken, User
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster


class GatewayToken(Row):
    """Opens one virtual cluster through the gateway, at its level at most and as long as its user has the role.

    Only a keyed hash of it is stored. It is written `mgs_PREFIX_SECRET`; the prefix is no secret.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="gateway_tokens")
    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="gateway_tokens")
    level = models.CharField(max_length=10)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=8, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    # gone with its row: what was made with a limited token must not become one without limits
    access_token = models.ForeignKey(
        AccessToken,
        on_delete=models.CASCADE,
        null=True,
        related_name="gateway_tokens",
        editable=False,
        help_text="The limited token that it was made with: it ends with that one, and its limits hold.",
    )
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # kept, so that whoever still sends it is told that it was revoked
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar[list[Any]] = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (mgs_{self.prefix}_...)"
