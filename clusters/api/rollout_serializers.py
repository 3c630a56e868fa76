"""How the API shows rollouts, and the body by which one is made."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.access import projects_where
from accounts.api.fields import OrganizationField, ProjectField
from accounts.api.references import OrganizationReference, ProjectReference, UserReference
from accounts.api.strict import StrictSerializer
from accounts.models import Organization, User
from clusters.api.fields import HostField
from clusters.api.scoped import ClusterReference
from clusters.models import Rollout, RolloutAction, RolloutMember, RolloutMemberState
from clusters.rollouts.waves import BUDGET_ACCEPTED, WAVES_ACCEPTED
from clusters.selectors_rollouts import Counts, rollouts_counts
from clusters.services.rollout_foreseeing import members_foreseen
from clusters.services.rollouts import PARALLEL_MAXIMUM

STATES: Final = tuple(each.value for each in RolloutMemberState)


class ClusterCountsSerializer(serializers.Serializer[Any]):
    """How many clusters, by what became of them."""

    total = serializers.IntegerField()
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    soaking = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    skipped = serializers.IntegerField()


class WaveSerializer(ClusterCountsSerializer):
    """One wave, from 1."""

    number = serializers.IntegerField()


class SelectorShownSerializer(serializers.Serializer[Any]):
    """By what its clusters were chosen."""

    labels = serializers.DictField(child=serializers.CharField())
    kubernetes_version = serializers.CharField(allow_blank=True)
    host = serializers.CharField(allow_blank=True, help_text="Its name.")


class RolloutToSerializer(serializers.Serializer[Any]):
    """What each cluster comes to."""

    kubernetes_version = serializers.CharField(allow_blank=True)
    chart_version = serializers.CharField(allow_blank=True)
    host = serializers.CharField(allow_blank=True, help_text="Its name; empty in a move: Marina chooses.")


def counts_shown(counts: Mapping[str, int]) -> dict[str, int]:
    """As ClusterCountsSerializer shows it."""
    return {"total": sum(counts.values()), **{each.lower(): counts.get(each, 0) for each in STATES}}


def waves_shown(counts: Counts) -> list[dict[str, int]]:
    """As WaveSerializer shows them."""
    waves = sorted({wave for wave, _ in counts})
    by_wave = {wave: {state: number for (of, state), number in counts.items() if of == wave} for wave in waves}
    return [{"number": wave + 1, **counts_shown(by_wave[wave])} for wave in waves]


class RolloutSerializer(serializers.ModelSerializer[Rollout]):
    """A change of several virtual clusters, wave after wave. Neither organization nor project: the platform's."""

    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    created_by = UserReference(read_only=True, allow_null=True)
    selector = serializers.SerializerMethodField()
    to = serializers.SerializerMethodField()
    choices = serializers.SerializerMethodField()
    clusters = serializers.SerializerMethodField()
    wave = serializers.SerializerMethodField()
    waves = serializers.SerializerMethodField()

    class Meta:
        model = Rollout
        fields: ClassVar[tuple[str, ...]] = (
            *("id", "name", "action", "organization", "project", "created_by", "selector", "to", "choices"),
            *("state", "message", "clusters", "wave", "waves", "next_wave_at", "pause_seconds", "soak_seconds"),
            *("failure_budget", "failures_allowed", "max_parallel", "created_at", "changed_at", "finished_at"),
        )
        read_only_fields = fields

    @extend_schema_field(SelectorShownSerializer)
    def get_selector(self, rollout: Rollout) -> dict[str, Any]:
        """By what its clusters were chosen."""
        kept = rollout.selector
        return {
            "labels": kept["labels"],
            "kubernetes_version": kept["kubernetes_version"],
            "host": kept["host_name"],
        }

    @extend_schema_field(RolloutToSerializer)
    def get_to(self, rollout: Rollout) -> dict[str, str]:
        """What each comes to."""
        kept = rollout.wish
        return {
            "kubernetes_version": kept["kubernetes_version"],
            "chart_version": kept["chart_version"],
            "host": kept["to_name"],
        }

    def get_choices(self, rollout: Rollout) -> dict[str, str]:
        """What was chosen where a preflight asks."""
        return dict(rollout.wish["choices"])

    @extend_schema_field(ClusterCountsSerializer)
    def get_clusters(self, rollout: Rollout) -> dict[str, int]:
        """All of them, by what became of each."""
        counts: Counter[str] = Counter()
        for (_, state), number in counts_of(rollout).items():
            counts[state] += number
        return counts_shown(counts)

    def get_wave(self, rollout: Rollout) -> int:
        """The one at work, from 1."""
        return rollout.wave + 1

    @extend_schema_field(WaveSerializer(many=True))
    def get_waves(self, rollout: Rollout) -> list[dict[str, int]]:
        """How far each is."""
        return waves_shown(counts_of(rollout))


def counts_of(rollout: Rollout) -> Counts:
    """Read along for a whole page; else asked for here, and once."""
    found: Counts | None = getattr(rollout, "counts", None)
    if found is None:
        found = rollouts_counts([rollout]).get(rollout.pk, {})
        rollout.counts = found  # type: ignore[attr-defined]
    return found


class RolloutMemberSerializer(serializers.ModelSerializer[RolloutMember]):
    """One cluster, and what became of it."""

    virtual_cluster = ClusterReference(read_only=True)
    wave = serializers.SerializerMethodField()
    operation = serializers.UUIDField(source="operation_id", allow_null=True, read_only=True)

    class Meta:
        model = RolloutMember
        fields: ClassVar[tuple[str, ...]] = (
            *("id", "virtual_cluster", "wave", "position", "state", "message", "operation", "started_at"),
            *("soaks_until", "finished_at"),
        )
        read_only_fields = fields

    def get_wave(self, member: RolloutMember) -> int:
        """From 1."""
        return member.wave + 1


class PlannedMemberSerializer(serializers.Serializer[Any]):
    """Which cluster is in which wave, from 1."""

    wave = serializers.IntegerField()
    virtual_cluster = ClusterReference()
    refused = serializers.CharField(
        allow_blank=True, help_text="Why it could not begin as things are now; empty where nothing is known against it."
    )
    waits = serializers.CharField(
        allow_blank=True, help_text="Which operation on it has to end first; behind others it queues."
    )


class RolloutMadeSerializer(RolloutSerializer):
    """The rollout as it was made, or in a dry run as it would be, with all of its clusters in their order."""

    members = serializers.SerializerMethodField()

    class Meta(RolloutSerializer.Meta):
        fields = (*RolloutSerializer.Meta.fields, "members")
        read_only_fields = fields

    @extend_schema_field(PlannedMemberSerializer(many=True))
    def get_members(self, rollout: Rollout) -> list[dict[str, Any]]:
        """In their order."""
        return [
            {
                "wave": each.member.wave + 1,
                "virtual_cluster": ClusterReference(each.member.virtual_cluster).data,
                "refused": each.refused,
                "waits": each.waits,
            }
            for each in members_foreseen(rollout)
        ]


class SelectorBody(StrictSerializer):
    """Which clusters: what is given must all fit. Without any: all."""

    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    kubernetes_version = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="One version, or a minor such as 1.35."
    )
    host = HostField(required=False, allow_null=True, help_text="The host they run on: id or name.")


class ToBody(StrictSerializer):
    """Of an upgrade a version or two, of a move a host; without one Marina chooses for each."""

    kubernetes_version = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="1.36.3, or 1.36 for its newest patch."
    )
    chart_version = serializers.CharField(required=False, allow_blank=True, max_length=40)
    host = HostField(required=False, allow_null=True, help_text="Id or name.")


@extend_schema_field(OpenApiTypes.STR)
class RolloutOrganizationField(OrganizationField):
    """An organization by id or name: also one in which the sender has a role in projects alone."""

    def among(self, user: User) -> QuerySet[Organization]:
        projects = projects_where(user, "virtualcluster.view").values("organization")
        return Organization.objects.filter(Q(pk__in=super().among(user).values("pk")) | Q(pk__in=projects))


class RolloutCreate(StrictSerializer):
    """What is to be done to which clusters, and how carefully."""

    name = serializers.CharField(max_length=40)
    action = serializers.ChoiceField(choices=RolloutAction.choices)
    organization = RolloutOrganizationField(required=False, help_text="Over all of its projects. Id or name.")
    project = ProjectField(required=False, help_text="Over this project alone. Id, or organization/name.")
    selector = SelectorBody(required=False)
    to = ToBody(required=False)
    choices = serializers.DictField(
        child=serializers.CharField(max_length=100),
        required=False,
        help_text="For what a preflight asks, by its name. Of upgrades also differences: not as before is no failure.",
    )
    waves = serializers.ListField(
        child=serializers.CharField(max_length=10), max_length=50, required=False, help_text=f"{WAVES_ACCEPTED}."
    )
    pause_seconds = serializers.IntegerField(
        required=False, allow_null=True, help_text="Between waves; null: until somebody resumes it. 0 unless given."
    )
    soak_seconds = serializers.IntegerField(
        required=False, help_text="How long a cluster has to stay well before that counts. 0 unless given."
    )
    failure_budget = serializers.CharField(
        required=False,
        max_length=20,
        help_text=f"How many may fail before it halts: {BUDGET_ACCEPTED}. Else 0.",
    )
    max_parallel = serializers.IntegerField(
        required=False, help_text=f"How many at once, up to {PARALLEL_MAXIMUM}. 5 unless given."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Of the two scopes at most one."""
        if "organization" in attrs and "project" in attrs:
            raise serializers.ValidationError({"project": "Either `organization` or `project`, not both."})
        return attrs
