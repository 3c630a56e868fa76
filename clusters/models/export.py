"""Exports: everything that a user owned in a virtual cluster at a moment, as an encrypted file."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project, User
from accounts.models.base import Row
from accounts.models.revisions import Revised
from clusters.models.operation import Operation
from clusters.models.virtual_cluster import VirtualCluster


class ExportCause(models.TextChoices):
    """What it was made for."""

    REQUEST = "request"
    SCHEDULE = "schedule"
    SLEEP = "sleep"
    DELETE = "delete"
    UPGRADE = "upgrade"
    MIGRATE = "migrate"


class ExportState(models.TextChoices):
    """Only of a Complete one there is a file; Removed keeps the record of one that was there."""

    WRITING = "Writing"
    COMPLETE = "Complete"
    FAILED = "Failed"
    REMOVED = "Removed"


class Export(Row, Revised):
    """One export. It outlives its cluster, which it can make again.

    `key` opens the file and `spec` tells what the cluster was like (its chart values may hold passwords): both are
    encrypted with the keys of accounts.encryption, and erased with the file.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="exports")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="exports")
    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.PROTECT, related_name="exports")
    operation = models.OneToOneField(
        Operation, on_delete=models.SET_NULL, null=True, related_name="export", help_text="That makes it."
    )
    cause = models.CharField(max_length=20, choices=ExportCause.choices)
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="exports")
    state = models.CharField(max_length=20, choices=ExportState.choices, default=ExportState.WRITING)
    message = models.TextField(blank=True, help_text="Why it failed, or why it is gone.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="When its file is erased.")

    # the file
    storage_name = models.CharField(max_length=200, blank=True)
    key = models.BinaryField(null=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")

    # what is in it
    objects_count = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="Objects by APIVERSION/KIND.")
    left_out = models.JSONField(default=list, help_text="By rule: reason, how many, and the first of them.")
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the manifest.")
    kubernetes_version = models.CharField(max_length=40, blank=True)
    chart_version = models.CharField(max_length=40, blank=True)
    spec = models.BinaryField(null=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(name="export_of_a_cluster", fields=["virtual_cluster", "-created_at"]),
            models.Index(name="export_of_a_project", fields=["project", "-created_at"]),
            # what housekeeping looks for
            models.Index(name="export_ending", fields=["expires_at"], condition=Q(state=ExportState.COMPLETE)),
            models.Index(name="export_writing", fields=["created_at"], condition=Q(state=ExportState.WRITING)),
        ]

    def __str__(self) -> str:
        return f"export of {self.virtual_cluster}"

    @property
    def folder(self) -> str:
        """In the storage: every attempt to write it has a file of its own there."""
        return f"{self.virtual_cluster_id}/{self.pk}"
