"""Who used a virtual cluster through the gateway, with what program, and when last."""

from typing import Any, ClassVar, Final

from django.db import models

from accounts.models import User
from accounts.models.base import Row
from clusters.models.virtual_cluster import VirtualCluster

CLIENT_LENGTH: Final = 40


class ClusterUse(Row):
    """One person (or service account) with one kind of client in one cluster. `created_at`: when that was first noted.

    Requests that the cluster's own API server answered, whatever it said. `last_used_at` is the later of both times;
    the counts are of requests since the first.
    """

    # No constraints in the database: the check of a foreign key waits for whoever has the cluster's row locked, and a
    # gateway writes those of many clusters at once.
    virtual_cluster = models.ForeignKey(
        VirtualCluster, on_delete=models.CASCADE, related_name="uses", db_constraint=False, db_index=False
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="cluster_uses", db_constraint=False)
    client = models.CharField(
        max_length=CLIENT_LENGTH, help_text="What the program calls itself: kubectl, helm, argocd-server."
    )
    last_read_at = models.DateTimeField(null=True)
    last_write_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField()
    last_meant_at = models.DateTimeField(
        null=True, help_text="The last request that was a use and no poll of a tool (gateway/polling.py)."
    )
    reads = models.BigIntegerField(default=0)
    writes = models.BigIntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[Any]] = ["-last_used_at"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["virtual_cluster", "user", "client"], name="cluster_use_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["virtual_cluster", "-last_used_at"], name="cluster_use_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.virtual_cluster} by {self.client}"
