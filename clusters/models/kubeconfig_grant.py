"""Kubeconfigs that were given out: by them is known whose access inside a virtual cluster has to end."""

from django.db import models
from django.db.models import Q

from accounts.models import User
from accounts.models.base import Row
from clusters.models.operation import Operation
from clusters.models.virtual_cluster import VirtualCluster


class KubeconfigGrant(Row):
    """One kubeconfig that was asked for: a token of the ServiceAccount of this user and level, inside the cluster.

    The row is there before the token is. It is live until `revoked_at`: then the ServiceAccount has been taken away, or
    the grant has ended and another one of the same user and level lives on.
    """

    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.CASCADE, related_name="kubeconfig_grants")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="kubeconfig_grants")
    level = models.CharField(max_length=10)
    operation = models.OneToOneField(
        Operation, on_delete=models.SET_NULL, null=True, related_name="kubeconfig_grant", help_text="That made it."
    )
    expires_at = models.DateTimeField(help_text="The latest end of its token.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # what housekeeping compares with the roles, every few seconds
            models.Index(
                name="kubeconfig_grant_live",
                fields=["virtual_cluster", "user", "level"],
                condition=Q(revoked_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.level} {self.virtual_cluster}"
