"""What is known of a virtual cluster's use, one row a kind of signal; until when those who note it have written."""

from typing import Any, ClassVar, Final

from django.db import models

from accounts.models.base import Row
from clusters.lifecycle.signal import SignalKind, SignalState
from clusters.models.virtual_cluster import VirtualCluster

WHO_LENGTH: Final = 200


class IdleSignal(Row):
    """One kind of use of one cluster: when last, by whom, and until when it is known that nothing newer happened.

    It is read by `signals_of` (clusters/lifecycle/signals.py), which knows besides what a gateway that is gone, a
    silent host or a cluster asleep mean. `last_used_at` never goes back by itself.
    """

    # No constraints in the database, as for ClusterUse: these are written for many clusters at once.
    virtual_cluster = models.ForeignKey(
        VirtualCluster, on_delete=models.CASCADE, related_name="idle_signals", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in SignalKind])
    last_used_at = models.DateTimeField(null=True, help_text="Empty: never, as far as is known.")
    who = models.CharField(max_length=WHO_LENGTH, blank=True, help_text="Who or what used it last, in words.")
    observed_at = models.DateTimeField(null=True, help_text="Nothing newer happened until then; empty: never looked.")
    state = models.CharField(
        max_length=12, choices=[(state.value, state.value) for state in SignalState], default=SignalState.UNKNOWN.value
    )
    reason = models.TextField(blank=True, help_text="Why it is not known; empty where it is.")
    looked_at = models.DateTimeField(null=True, help_text="When somebody last set out to look: whose turn it is.")

    class Meta:
        ordering: ClassVar[list[Any]] = ["virtual_cluster", "kind"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["virtual_cluster", "kind"], name="idle_signal_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["kind", "looked_at"], name="idle_signal_turn"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.virtual_cluster}"


class SignalSource(models.Model):
    """Somebody who writes down use: a gateway, or the task that gathers it. Silence of theirs is not idleness."""

    name = models.CharField(primary_key=True, max_length=160)
    written_until = models.DateTimeField(help_text="All use that it saw until then is in the database.")

    def __str__(self) -> str:
        return self.name
