"""Placements: one virtual cluster on one host."""

from django.db import models
from django.db.models import Q

from accounts.models.base import Row
from accounts.models.revisions import Revised
from clusters.models.host import HostCluster
from clusters.models.virtual_cluster import VirtualCluster


class PlacementRole(models.TextChoices):
    """`active` is where it runs; `target` where it moves to; `retained` where it came from; `lost` on a lost host.

    `leaving`: of no use any more; what is there is being removed.
    """

    ACTIVE = "active"
    TARGET = "target"
    RETAINED = "retained"
    LOST = "lost"
    LEAVING = "leaving"


class Placement(Row, Revised):
    """One virtual cluster on one host: namespace, release, and what was observed there.

    The row is there before anything on the host is, and goes only when the host was seen to be free of it.
    """

    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.PROTECT, related_name="placements")
    host = models.ForeignKey(HostCluster, on_delete=models.PROTECT, related_name="placements")
    role = models.CharField(max_length=20, choices=PlacementRole.choices, default=PlacementRole.ACTIVE)
    namespace = models.CharField(max_length=63)
    namespace_created = models.BooleanField(default=False, help_text="Marina made it, so Marina deletes it.")
    namespace_labels = models.JSONField(
        default=dict, help_text="Given namespaces: the labels to put back (null: none)."
    )
    release = models.CharField(max_length=53)

    adopted = models.JSONField(
        null=True, help_text="Of one that Marina did not make: how it was found (see clusters/adoption.py)."
    )

    why = models.TextField(blank=True, editable=False, help_text="Why this host was chosen, and the others were not.")

    # where it moved to or from
    role_since = models.DateTimeField(null=True, editable=False, help_text="When it moved to or from here.")
    retained_until = models.DateTimeField(
        null=True, editable=False, help_text="When what stays of it here is removed. Empty: it does not stay."
    )
    lost_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was given up, because its host was lost."
    )
    foreign_revision = models.BigIntegerField(
        default=0,
        editable=False,
        help_text="The newest resourceVersion that its API had given out where it ran before: not one of this API's.",
    )
    first_revision = models.BigIntegerField(
        default=0, editable=False, help_text="This API's resourceVersion when people were let to it: none is older."
    )

    # observed
    endpoint = models.URLField(max_length=500, blank=True)
    kubernetes_version = models.CharField(max_length=40, blank=True)
    chart_version = models.CharField(max_length=40, blank=True)
    chart_digest = models.CharField(max_length=80, blank=True)
    revision = models.PositiveIntegerField(default=0, help_text="The Helm release's newest revision.")
    values_digest = models.CharField(max_length=80, blank=True)
    syncs_priority_classes = models.BooleanField(default=False, help_text="Leaves host PriorityClasses behind.")
    not_synced = models.JSONField(default=list, help_text="Kinds that stay inside, with the reason.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="placement_one_active", fields=["virtual_cluster"], condition=Q(role=PlacementRole.ACTIVE)
            ),
            models.UniqueConstraint(name="placement_one_a_namespace", fields=["host", "namespace"]),
        ]

    def __str__(self) -> str:
        return f"{self.virtual_cluster} on {self.host}"
