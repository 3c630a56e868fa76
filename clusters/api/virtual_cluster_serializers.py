"""How the API shows virtual clusters, and the bodies by which they are made and changed."""

from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import ProjectField
from accounts.api.strict import StrictSerializer
from accounts.models import KubeconfigCeiling
from clusters.api.break_glass_views import BreakGlassSerializer
from clusters.api.fields import ClusterNameField, HostField
from clusters.api.operation_serializers import NamedSerializer, OperationSerializer, PersonSerializer
from clusters.api.owners import OwnerTextField
from clusters.api.shown import (
    asleep_shown,
    cleanup_shown,
    cluster_shown,
    frozen_shown,
    owner_shown,
    retained_shown,
    schedule_shown,
    spec_shown,
    time_shown,
)
from clusters.api.upgrade_shown import UpgradeShownSerializer, upgrade_shown
from clusters.api.use_serializers import LastUserSerializer
from clusters.gateway_address import gateway_url_of
from clusters.models import Exposure, KubeconfigGrant, Placement, VirtualCluster
from clusters.services.kubeconfigs import LEVELS
from clusters.sizes import SIZES

ENDING_NOTE: Final = (
    "No role gives it any more. It is being ended, within a minute where the cluster can be reached, else as soon as "
    "that is so; at its expiry it ends in any case."
)


class ConditionSerializer(serializers.Serializer[Any]):
    """As Kubernetes writes conditions."""

    type = serializers.CharField()
    status = serializers.ChoiceField(["True", "False", "Unknown"])
    reason = serializers.CharField()
    message = serializers.CharField()
    last_transition_time = serializers.DateTimeField()


class NotSyncedSerializer(serializers.Serializer[Any]):
    """A kind that stays inside the virtual cluster."""

    kind = serializers.CharField()
    reason = serializers.CharField()


class PlacementSerializer(serializers.ModelSerializer[Placement]):
    """Where it runs."""

    host = NamedSerializer()
    adopted = serializers.SerializerMethodField()

    class Meta:
        model = Placement
        fields: ClassVar[list[str]] = [
            "id",
            "host",
            "namespace",
            "release",
            "role",
            "endpoint",
            "kubernetes_version",
            "chart_version",
            "adopted",
            "why",
        ]

    def get_adopted(self, placement: Placement) -> bool:
        """Whether somebody else made it, and Marina took it over."""
        return placement.adopted is not None


class ProjectShownSerializer(serializers.Serializer[Any]):
    """The project it lives in."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    organization = NamedSerializer()


class OwnerSerializer(serializers.Serializer[Any]):
    """Who answers for it."""

    kind = serializers.ChoiceField(["user", "team", "service-account"])
    id = serializers.UUIDField()
    name = serializers.CharField()


class ControlPlaneSerializer(StrictSerializer):
    """How the control plane itself runs; set when the cluster is made."""

    replicas = serializers.IntegerField(required=False, help_text="1: its embedded store has one member.")


class SpecSerializer(StrictSerializer):
    """What is wanted. Whatever is left out gets its default."""

    kubernetes_version = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="1.36.3, or 1.36 for its newest patch."
    )
    chart_version = serializers.CharField(required=False, allow_blank=True, max_length=40)
    size = serializers.CharField(required=False, allow_blank=True, max_length=20, help_text=", ".join(SIZES))
    exposure = serializers.CharField(
        required=False, allow_blank=True, max_length=20, help_text=", ".join(Exposure.values)
    )
    values = serializers.DictField(required=False, help_text="Chart values.")
    control_plane = ControlPlaneSerializer(required=False)
    region = serializers.CharField(
        required=False, allow_blank=True, max_length=60, help_text="Where its host is to be; empty: anywhere."
    )
    host_labels = serializers.DictField(
        child=serializers.CharField(allow_blank=True), required=False, help_text="Labels that its host is to have."
    )


class VirtualClusterCreateSerializer(StrictSerializer):
    """What makes a virtual cluster."""

    project = ProjectField()
    name = ClusterNameField()
    host = HostField(required=False, allow_null=True)
    spec = SpecSerializer(required=False)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    deletion_protection = serializers.BooleanField(required=False)
    owner = OwnerTextField()
    lifetime = serializers.IntegerField(
        required=False, help_text="Seconds it is meant to live: as long as the project allows, or less."
    )


class VirtualClusterChangeSerializer(StrictSerializer):
    """What can be changed. Of `spec` what is not sent stays; `values` take the place of all that were given before."""

    spec = SpecSerializer(required=False, help_text="A change of it starts a configure operation.")
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    deletion_protection = serializers.BooleanField(required=False)
    kubeconfig_ceiling = serializers.ChoiceField(
        choices=KubeconfigCeiling.choices, required=False, help_text="For admins of its project."
    )


class KubeconfigGrantSerializer(serializers.ModelSerializer[KubeconfigGrant]):
    """A kubeconfig that somebody has. None of it is secret."""

    user = PersonSerializer()
    issued_at = serializers.DateTimeField(source="created_at", help_text="When it was asked for.")
    expires_at = serializers.DateTimeField(help_text="It ends then at the latest.")
    ending = serializers.BooleanField(help_text="No role gives it any more: Marina is ending it.")
    note = serializers.SerializerMethodField()

    class Meta:
        model = KubeconfigGrant
        fields: ClassVar[list[str]] = ["id", "user", "level", "issued_at", "expires_at", "ending", "note"]

    def get_note(self, grant: KubeconfigGrant) -> str:
        """What is still to come, for people."""
        if not getattr(grant, "ending", False):
            return ""
        return ENDING_NOTE


class KubeconfigRequestSerializer(StrictSerializer):
    """Asks for a kubeconfig, sealed to a one-time key."""

    level = serializers.CharField(
        required=False, allow_blank=True, help_text=f"{' or '.join(LEVELS)}; empty: the highest your role allows."
    )
    expires_in = serializers.IntegerField(required=False, help_text="Seconds.")
    public_key = serializers.CharField(max_length=100, help_text="Base64 of a one-time X25519 public key.")


class AsleepSerializer(serializers.Serializer[Any]):
    """Since when it is asleep, and who or what put it to sleep, in words."""

    since = serializers.DateTimeField()
    by = serializers.CharField(allow_blank=True)
    why = serializers.CharField(allow_blank=True)


class FrozenSerializer(serializers.Serializer[Any]):
    """Since when nothing can be written to it, and what who tries is told."""

    since = serializers.DateTimeField()
    why = serializers.CharField(allow_blank=True)


class RetainedSerializer(serializers.Serializer[Any]):
    """Where it came from: what it was there is kept asleep, so that it can go back."""

    id = serializers.UUIDField()
    host = NamedSerializer()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True, help_text="Then it is removed.")


class ScheduleShownSerializer(serializers.Serializer[Any]):
    """When its schedule acts next. What was put to sleep because nobody uses it is woken by no schedule."""

    next_sleep_at = serializers.DateTimeField(allow_null=True)
    next_wake_at = serializers.DateTimeField(allow_null=True)
    next_export_at = serializers.DateTimeField(allow_null=True)
    sleep_skipped_at = serializers.DateTimeField(allow_null=True, help_text="The time that was left out: not tonight.")
    sleep_postponed_at = serializers.DateTimeField(allow_null=True, help_text="The time that was moved, once.")
    put_off_by = serializers.CharField(
        allow_blank=True, help_text="Who left it out or moved it; next_sleep_at says until when. Empty: nobody did."
    )
    put_off_for = serializers.CharField(
        allow_blank=True, help_text="project where that was for all of it, else virtual-cluster; empty: nobody did."
    )


class CleanupShownSerializer(serializers.Serializer[Any]):
    """When and why it is to be deleted, as its owner was told."""

    at = serializers.DateTimeField(allow_null=True, help_text="Null: it is not.")
    cause = serializers.CharField(allow_blank=True, help_text="idle or lifetime.")
    state = serializers.CharField(allow_blank=True, help_text="warned, awaiting-consent or deleting.")
    why = serializers.CharField(allow_blank=True)
    consent_at = serializers.DateTimeField(allow_null=True, help_text="When its owner said yes.")
    kept_until = serializers.DateTimeField(allow_null=True, help_text="Somebody keeps it until then, used or not.")


class VirtualClusterSerializer(serializers.ModelSerializer[VirtualCluster]):
    """A virtual cluster: what is wanted, and what is there."""

    project = ProjectShownSerializer()
    owner = serializers.SerializerMethodField()
    created_by = PersonSerializer(source="creator")
    spec = serializers.SerializerMethodField()
    conditions = ConditionSerializer(many=True)
    not_synced = serializers.SerializerMethodField()
    placement = serializers.SerializerMethodField()
    operation = serializers.SerializerMethodField()
    break_glass = serializers.SerializerMethodField()
    gateway_url = serializers.SerializerMethodField()
    last_used_at = serializers.SerializerMethodField()
    last_used_by = serializers.SerializerMethodField()
    asleep = serializers.SerializerMethodField()
    schedule = serializers.SerializerMethodField()
    cleanup = serializers.SerializerMethodField()
    upgrade = serializers.SerializerMethodField()
    frozen = serializers.SerializerMethodField()
    retained = serializers.SerializerMethodField()

    class Meta:
        model = VirtualCluster
        fields: ClassVar[list[str]] = [
            "id",
            "name",
            "project",
            "owner",
            "created_by",
            "spec",
            "labels",
            "deletion_protection",
            "expires_at",
            "kubeconfig_ceiling",
            "gateway_url",
            "break_glass",
            "last_used_at",
            "last_used_by",
            "generation",
            "observed_generation",
            "phase",
            "asleep",
            "schedule",
            "cleanup",
            "upgrade",
            "frozen",
            "retained",
            "conditions",
            "not_synced",
            "placement",
            "operation",
            "created_at",
            "deleted_at",
        ]

    def to_representation(self, instance: VirtualCluster) -> dict[str, Any]:
        return cluster_shown(instance)

    @extend_schema_field(OwnerSerializer)
    def get_owner(self, cluster: VirtualCluster) -> dict[str, Any]:
        return owner_shown(cluster)

    @extend_schema_field(BreakGlassSerializer(many=True))
    def get_break_glass(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        """Who of the platform staff is in it at the moment; mostly nobody."""
        return list(BreakGlassSerializer(getattr(cluster, "glass_broken", []), many=True).data)

    def get_gateway_url(self, cluster: VirtualCluster) -> str:
        """Its address for kubectl, which stays whatever happens to it; empty where there is no gateway."""
        return gateway_url_of(cluster)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_used_at(self, cluster: VirtualCluster) -> str | None:
        """When its API was last asked for anything through the gateway; `since` does not tell of it."""
        return time_shown(getattr(cluster, "last_used_at", None))

    @extend_schema_field(LastUserSerializer(allow_null=True))
    def get_last_used_by(self, cluster: VirtualCluster) -> dict[str, str] | None:
        """By whom, and with what program."""
        found: dict[str, str] | None = getattr(cluster, "last_used_by", None)
        return found

    @extend_schema_field(AsleepSerializer(allow_null=True))
    def get_asleep(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """Null while it is awake."""
        return asleep_shown(cluster)

    @extend_schema_field(ScheduleShownSerializer)
    def get_schedule(self, cluster: VirtualCluster) -> dict[str, Any]:
        return schedule_shown(cluster)

    @extend_schema_field(UpgradeShownSerializer)
    def get_upgrade(self, cluster: VirtualCluster) -> dict[str, Any]:
        """Which upgrades there are, and which of them Marina does by itself and when."""
        return upgrade_shown(cluster)

    @extend_schema_field(CleanupShownSerializer(allow_null=True))
    def get_cleanup(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """Null where nothing is planned and nobody keeps it."""
        return cleanup_shown(cluster)

    @extend_schema_field(FrozenSerializer(allow_null=True))
    def get_frozen(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        """Null while it can be written to."""
        return frozen_shown(cluster)

    @extend_schema_field(RetainedSerializer(many=True))
    def get_retained(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        """Mostly empty: it was not moved lately."""
        return retained_shown(self._placement(cluster))

    @extend_schema_field(SpecSerializer)
    def get_spec(self, cluster: VirtualCluster) -> dict[str, Any]:
        return spec_shown(cluster)

    @extend_schema_field(NotSyncedSerializer(many=True))
    def get_not_synced(self, cluster: VirtualCluster) -> list[dict[str, Any]]:
        placement = self._placement(cluster)
        return placement.not_synced if placement else []

    @extend_schema_field(PlacementSerializer(allow_null=True))
    def get_placement(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        placement = self._placement(cluster)
        return PlacementSerializer(placement).data if placement else None

    @staticmethod
    def _placement(cluster: VirtualCluster) -> Placement | None:
        """The active one, as the selector fetched it along."""
        found: list[Placement] = getattr(cluster, "active_placements", [])
        return found[0] if found else None

    @extend_schema_field(OperationSerializer(allow_null=True))
    def get_operation(self, cluster: VirtualCluster) -> dict[str, Any] | None:
        found = getattr(cluster, "newest_operations", [])
        return OperationSerializer(found[0]).data if found else None
