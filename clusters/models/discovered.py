"""Virtual clusters that were found on a host and that Marina did not make."""

from django.db import models

from accounts.models.base import Row
from clusters.models.host import HostCluster


class DiscoveredCluster(Row):
    """One that a survey of a host found. Nothing of it is ever changed until somebody adopts it."""

    host = models.ForeignKey(HostCluster, on_delete=models.CASCADE, related_name="discovered")
    namespace = models.CharField(max_length=63)
    release = models.CharField(max_length=53)
    workload = models.CharField(max_length=20, help_text="StatefulSet or Deployment.")
    uid = models.CharField(max_length=64, help_text="Of the workload.")
    chart_version = models.CharField(max_length=40, blank=True)
    kubernetes_version = models.CharField(max_length=40, blank=True)
    image = models.CharField(max_length=500, blank=True, help_text="Of its control plane.")
    paused = models.BooleanField(default=False)
    ignored = models.BooleanField(default=False, help_text="Somebody said that it is none of Marina's business.")
    seen_at = models.DateTimeField(help_text="When it was last found.")

    class Meta:
        ordering = ["host__name", "namespace", "release"]
        constraints = [
            models.UniqueConstraint(fields=["host", "namespace", "release"], name="discovered_once_a_release")
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.release}"
