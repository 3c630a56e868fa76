"""Operations: one piece of work each. The row is the truth; the Celery message only says that there is one."""

from typing import Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import IsNull

from accounts.models import Organization, Project, User
from accounts.models.base import Row
from accounts.models.revisions import Revised
from clusters.models.host import HostCluster
from clusters.models.virtual_cluster import VirtualCluster


class OperationKind(models.TextChoices):
    """What can be done. Which steps a kind takes stands in provisioning/flows/."""

    CONNECT = "connect"
    RENEW_CREDENTIAL = "renew-credential"
    PROVISION = "provision"
    DELETE = "delete"
    ISSUE_KUBECONFIG = "issue-kubeconfig"
    CONFIGURE = "configure"
    ADOPT = "adopt"
    REVOKE_ACCESS = "revoke-access"
    SLEEP = "sleep"
    WAKE = "wake"
    EXPORT = "export"
    RESTORE = "restore"
    PREFLIGHT = "preflight"
    UPGRADE = "upgrade"
    MIGRATE = "migrate"
    RECOVER = "recover"
    REMOVE_PLACEMENT = "remove-placement"
    QUARANTINE = "quarantine"


class OperationState(models.TextChoices):
    """Queued waits for another operation of its object; Error will be tried again; the last three are final."""

    QUEUED = "Queued"
    PENDING = "Pending"
    PROCESSING = "Processing"
    ERROR = "Error"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ABORTED = "Aborted"


ACTIVE_STATES = (OperationState.PENDING, OperationState.PROCESSING, OperationState.ERROR)
UNANNOUNCED = Q(finished_at__isnull=False) & (Q(announced_at__isnull=True) | ~Q(announced_at=F("finished_at")))
"""Ended, and webhooks were not told of this end yet. One that is tried again ends anew."""

PLATFORM: Final = UUID(int=0)
"""Stands for the organization of what belongs to none, where turns go round."""


class Operation(Row, Revised):
    """One piece of work on a host or a virtual cluster, done step by step by whichever worker holds its lease.

    `lock_key` names the object: of the operations with the same key one is active at a time (unique index). Kinds that
    only read their object have none. `lease_token` grows with each claim; a worker's writes carry the token it got, so
    that one that lost its lease writes nothing.
    """

    kind = models.CharField(max_length=30, choices=OperationKind.choices)
    state = models.CharField(max_length=20, choices=OperationState.choices, default=OperationState.PENDING)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="operations")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="operations")
    host = models.ForeignKey(HostCluster, on_delete=models.CASCADE, null=True, related_name="operations")
    virtual_cluster = models.ForeignKey(VirtualCluster, on_delete=models.PROTECT, null=True, related_name="operations")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="operations")
    lock_key = models.CharField(max_length=80, null=True)  # noqa: DJ001 (null: outside the unique index)
    params = models.JSONField(default=dict)

    # progress
    steps = models.JSONField(default=list, help_text="Key, name, state, started_at and finished_at of each step.")
    step = models.PositiveSmallIntegerField(default=0, help_text="Index of the current step.")
    step_started_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)
    attempt = models.PositiveIntegerField(default=0, help_text="Attempts of the current step that ended in an error.")
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    left_behind = models.JSONField(
        default=list, help_text="What one that failed or was aborted left on hosts: kind, name, namespace, host."
    )
    difference = models.JSONField(
        default=list, help_text="What it changes of what it found, where that was asked: object, path, before, after."
    )
    abort_requested = models.BooleanField(default=False)
    undoing = models.JSONField(
        null=True, help_text="While what it did is put back: the end that it comes to (state, message and error)."
    )
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    announced_at = models.DateTimeField(null=True, help_text="`finished_at` of the end that webhooks were told of.")

    # whose turn it is
    run_after = models.DateTimeField(null=True, help_text="Not before; empty: at once.")
    published_at = models.DateTimeField(null=True, help_text="When a worker was last told of it.")
    waiting_host = models.ForeignKey(
        HostCluster,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="It waits for a slot of this host, or for it to answer; nobody looks at it until it gets one.",
    )
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_token = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)

    # handed over once, encrypted to a key only the requester has
    sealed_result = models.BinaryField(null=True)
    sealed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                name="operation_one_active_an_object", fields=["lock_key"], condition=Q(state__in=ACTIVE_STATES)
            ),
        ]
        indexes = [
            # what the waker looks for every second
            models.Index(name="operation_due", fields=["run_after"], condition=Q(state__in=ACTIVE_STATES)),
            models.Index(
                name="operation_waiting_for_a_host", fields=["waiting_host"], condition=Q(waiting_host__isnull=False)
            ),
            models.Index(name="operation_of_an_object", fields=["lock_key", "created_at"]),
            # what a claim looks for, see provisioning/engine/lease.py: an organization's next one, and what is at work
            models.Index(
                Coalesce("organization", Value(PLATFORM)),
                IsNull(F("started_at"), True),
                Coalesce("run_after", "created_at"),
                "id",
                name="operation_turn",
                condition=Q(state__in=ACTIVE_STATES, published_at__isnull=False, waiting_host__isnull=True),
            ),
            models.Index(
                Coalesce("organization", Value(PLATFORM)),
                name="operation_at_work",
                condition=Q(lease_expires_at__isnull=False),
            ),
            models.Index(name="operation_unannounced", fields=["finished_at"], condition=UNANNOUNCED),
            models.Index(name="operation_sealed", fields=["sealed_until"], condition=Q(sealed_result__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.virtual_cluster or self.host or ''}"

    @property
    def finished(self) -> bool:
        """Whether its state is final."""
        return self.state in (OperationState.SUCCEEDED, OperationState.FAILED, OperationState.ABORTED)


class OperationEvent(models.Model):
    """One thing that happened in an operation, for people: an attempt that failed, a step that ended."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events")
    time = models.DateTimeField()
    step = models.CharField(max_length=60, blank=True)
    level = models.CharField(max_length=10, default="info")
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text
