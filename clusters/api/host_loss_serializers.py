"""How the API shows that a host is lost or emptied, and the bodies by which that is said."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.api.strict import StrictSerializer
from clusters.api.fields import HostField
from clusters.api.host_serializers import HostClusterSerializer
from clusters.api.rollout_serializers import RolloutMadeSerializer
from clusters.api.shown import time_shown
from clusters.host_loss import LostCluster
from clusters.models import Operation
from clusters.move_choices import MOVE_CHOICES
from clusters.services.evacuating import AT_ONCE
from clusters.services.lost_hosts import REASON_MOST, HostLost
from clusters.services.rollouts import PARALLEL_MAXIMUM

_CHOICES = "; ".join(f"{name}: {' or '.join(options)}" for name, options in MOVE_CHOICES.items())


class HostLostSerializer(StrictSerializer):
    """That a host is given up."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=REASON_MOST)
    force = serializers.BooleanField(required=False, help_text="Although it answers; it takes a reason.")
    empty = serializers.BooleanField(required=False, help_text="What was never exported comes back empty.")


class EvacuateSerializer(StrictSerializer):
    """How a host is emptied."""

    to = HostField(required=False, allow_null=True, help_text="The host, by id or name; else Marina chooses for each.")
    max_parallel = serializers.IntegerField(
        required=False, min_value=1, max_value=PARALLEL_MAXIMUM, help_text=f"How many at once; {AT_ONCE} if not given."
    )
    choices = serializers.DictField(
        child=serializers.CharField(max_length=40),
        required=False,
        help_text=f"For all of them, what is chosen where a move asks; {_CHOICES}.",
    )


class LostExportSerializer(serializers.Serializer[Any]):
    """The last export of a cluster."""

    id = serializers.UUIDField()
    finished_at = serializers.DateTimeField(help_text="As it was then it comes back; what was written later is lost.")
    cause = serializers.CharField()
    objects = serializers.IntegerField()


class LostClusterSerializer(serializers.Serializer[Any]):
    """A cluster whose host is lost."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    project = serializers.CharField(help_text="organization/name")
    asleep = serializers.BooleanField()
    export = LostExportSerializer(allow_null=True)
    comes_back = serializers.CharField(help_text="As what it comes back, in a sentence.")
    to = serializers.CharField(allow_blank=True, help_text="The host that would be chosen now; empty where none can.")
    waits = serializers.CharField(allow_blank=True, help_text="Why it can go nowhere now; then it waits.")
    operation = serializers.UUIDField(allow_null=True, help_text="That makes it again; null: it is being deleted.")


class MovePutBackSerializer(serializers.Serializer[Any]):
    """A move to the lost host."""

    id = serializers.UUIDField(help_text="Of the operation.")
    virtual_cluster = serializers.CharField()


class HostLostAnswer(serializers.Serializer[Any]):
    """What it means that the host is lost, and what was begun."""

    host_cluster = HostClusterSerializer()
    clusters = LostClusterSerializer(many=True)
    hidden = serializers.IntegerField(help_text="How many more there are that you may not see.")
    moves_put_back = MovePutBackSerializer(many=True)


class EvacuateAnswer(serializers.Serializer[Any]):
    """The host, and the rollout that empties it; null where nothing is on it."""

    host_cluster = HostClusterSerializer()
    rollout = RolloutMadeSerializer(allow_null=True)


def loss_shown(lost: HostLost, *, seen: Collection[UUID]) -> dict[str, Any]:
    """As HostLostAnswer shows it, without the host. `seen`: the clusters that may be named."""
    begun = {each.virtual_cluster_id: each for each in lost.operations}
    members = [each for each in lost.loss.members if each.cluster.pk in seen]
    moves = [each for each in lost.loss.moving if each.virtual_cluster_id in seen]
    return {
        "clusters": [_member_shown(each, begun.get(each.cluster.pk)) for each in members],
        "hidden": len(lost.loss.members) - len(members),
        "moves_put_back": [{"id": str(each.pk), "virtual_cluster": str(each.virtual_cluster)} for each in moves],
    }


def _member_shown(lost: LostCluster, operation: Operation | None) -> dict[str, Any]:
    export = lost.export
    return {
        "id": str(lost.cluster.pk),
        "name": lost.cluster.name,
        "project": str(lost.cluster.project),
        "asleep": lost.cluster.sleeping,
        "export": export
        and {
            "id": str(export.pk),
            "finished_at": time_shown(export.finished_at),
            "cause": export.cause,
            "objects": export.objects_count,
        },
        "comes_back": lost.sentence,
        "to": lost.to,
        "waits": lost.waits,
        "operation": str(operation.pk) if operation else None,
    }
