"""How the API shows host clusters, and the bodies by which they are connected and changed."""

from functools import cached_property
from typing import Any, ClassVar, Final
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.access import platform_staff
from accounts.api.actor import user_of
from accounts.api.strict import StrictSerializer
from clusters.access import organizations_running_hosts
from clusters.api.fields import ClusterNameField, HostOrganizationField, HostProjectField, KubeconfigField
from clusters.api.virtual_cluster_serializers import ConditionSerializer
from clusters.lifecycle.ingress_metrics import NGINX_METRIC, SERVICE_ACCEPTED
from clusters.lifecycle.required_signals import OPTIONAL, REQUIRED, signals_needed
from clusters.models import Breaker, Exposure, HostCluster, HostMode, HostScope, RegionOffer

_CONCURRENCY: Final = "How many operations may work on it at the same time, 1 to 100."
_SIGNALS: Final = (
    "Which signals of use it needs before a cluster there may be called idle: each kind as required or optional."
)
_TRAFFIC: Final = "Where its ingress controller tells how many requests came, by which web traffic is a signal of use."
_INSIDE: Final = "Shown to platform staff and to admins of the organization whose host it is; else null."


class OfferedToSerializer(StrictSerializer):
    """To whom a host is offered: to all, or to some by name. Naming somebody ends that all have it."""

    all = serializers.BooleanField(
        required=False, help_text="Platform hosts only; true where one is connected without naming anybody."
    )
    organizations = serializers.ListField(child=HostOrganizationField(), required=False)
    projects = serializers.ListField(child=HostProjectField(), required=False)


class HostConnectSerializer(StrictSerializer):
    """What connects a host."""

    name = ClusterNameField()
    kubeconfig = KubeconfigField(help_text="The file's text, with one usable context.")
    mode = serializers.ChoiceField(HostMode.choices, required=False)
    namespaces = serializers.ListField(child=serializers.CharField(max_length=63), required=False)
    scope = serializers.ChoiceField(HostScope.choices, required=False)
    organization = HostOrganizationField(required=False, allow_null=True)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    region = serializers.CharField(required=False, allow_blank=True, max_length=60)
    exposure = serializers.ChoiceField(Exposure.choices, required=False)
    values = serializers.DictField(required=False, help_text="Chart values for every virtual cluster here.")
    concurrency = serializers.IntegerField(required=False, help_text=_CONCURRENCY)
    offered_to = OfferedToSerializer(required=False)


class IngressMetricsSerializer(StrictSerializer):
    """A Service's port on the host that serves an ingress controller's counters, and how to read them."""

    service = serializers.CharField(max_length=150, help_text=f"{SERVICE_ACCEPTED}.")
    path = serializers.CharField(required=False, max_length=500, help_text="/metrics unless given.")
    metric = serializers.CharField(required=False, max_length=200, help_text=f"{NGINX_METRIC} unless given.")
    namespace_label = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="The label that tells the namespace, whole or as a part of what it holds; exported_namespace, else "
        "namespace, unless given.",
    )
    ingress_class = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=253,
        help_text="The only class whose ingresses come by it: of other ones traffic is then known not to be seen.",
    )


class HostChangeSerializer(StrictSerializer):
    """What can be changed of a host."""

    cordoned = serializers.BooleanField(required=False)
    labels = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    region = serializers.CharField(required=False, allow_blank=True, max_length=60)
    exposure = serializers.ChoiceField(Exposure.choices, required=False)
    values = serializers.DictField(required=False)
    concurrency = serializers.IntegerField(required=False, help_text=_CONCURRENCY)
    required_signals = serializers.DictField(
        child=serializers.ChoiceField(choices=[REQUIRED, OPTIONAL]),
        required=False,
        help_text=f"{_SIGNALS} Those left out stay as they are.",
    )
    ingress_metrics = IngressMetricsSerializer(
        required=False, allow_null=True, help_text=f"{_TRAFFIC} Null: nowhere. What is left out of it is as by default."
    )
    offered_to = OfferedToSerializer(required=False)


class CredentialSerializer(StrictSerializer):
    """A new credential for a host."""

    kubeconfig = KubeconfigField()


class OfferedTo(serializers.Serializer[Any]):
    """To whom a host is offered, as it can be sent back."""

    all = serializers.BooleanField()
    organizations = serializers.ListField(child=serializers.CharField())
    projects = serializers.ListField(child=serializers.CharField(), help_text="organization/name")


class BreakerSerializer(serializers.Serializer[HostCluster]):
    """Whether work for a host goes on (closed), waits for it to answer (open), or is tried again (half-open)."""

    state = serializers.ChoiceField(Breaker.choices, source="breaker")
    since = serializers.DateTimeField(source="breaker_since", allow_null=True, help_text="When it last changed.")
    failures = serializers.IntegerField(help_text="Questions in a row without an answer.")


class HostClusterSerializer(serializers.ModelSerializer[HostCluster]):
    """A host cluster. Never its credential.

    Who may only place clusters there sees no address, no size and nobody else on it; their conditions have no message,
    since that may quote any of these.
    """

    INSIDE: ClassVar[tuple[str, ...]] = (
        "namespaces",
        "offered_to",
        "offered_by_region",
        "server",
        "capacity",
        "ingress_metrics",
    )
    """Shown to who looks after the host."""

    organization = serializers.CharField(source="organization.name", default=None, allow_null=True)
    conditions = ConditionSerializer(many=True)
    credential_expires_at = serializers.DateTimeField(source="credential.expires_at", default=None, allow_null=True)
    values = serializers.SerializerMethodField()
    offered_to = serializers.SerializerMethodField()
    offered_by_region = serializers.SerializerMethodField()
    namespaces = serializers.ListField(child=serializers.CharField(), allow_null=True, help_text=_INSIDE)
    server = serializers.CharField(allow_null=True, help_text=_INSIDE)
    breaker = BreakerSerializer(source="*")
    required_signals = serializers.SerializerMethodField(help_text=_SIGNALS)
    ingress_metrics = serializers.SerializerMethodField()
    capacity = serializers.DictField(
        allow_null=True,
        help_text="CPU in millicores, memory in bytes, pods: allocatable by nodes that are ready, requested by pods in "
        f"all and by namespace; left_out tells what could not be counted. {_INSIDE}",
    )

    class Meta:
        model = HostCluster
        fields: ClassVar[list[str]] = [
            "id",
            "name",
            "scope",
            "organization",
            "mode",
            "namespaces",
            "labels",
            "region",
            "exposure",
            "values",
            "offered_to",
            "offered_by_region",
            "cordoned",
            "lost_at",
            "concurrency",
            "required_signals",
            "ingress_metrics",
            "generation",
            "phase",
            "conditions",
            "breaker",
            "answered_at",
            "probed_at",
            "surveyed_at",
            "server",
            "kubernetes_version",
            "storage_class",
            "ingress_classes",
            "capacity",
            "credential_expires_at",
            "created_at",
        ]

    def to_representation(self, instance: HostCluster) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        if not (self._staff or instance.organization_id in self._own):
            shown |= dict.fromkeys(self.INSIDE)
            shown["conditions"] = [{**condition, "message": ""} for condition in shown["conditions"]]
        return shown

    @property
    def _staff(self) -> bool:
        user = user_of(self.context["request"])
        return platform_staff(user)

    @cached_property
    def _own(self) -> set[UUID]:
        """Asked once for a whole list."""
        return set(organizations_running_hosts(user_of(self.context["request"])).values_list("pk", flat=True))

    def get_required_signals(self, host: HostCluster) -> dict[str, str]:
        return {kind.value: need for kind, need in signals_needed(host.required_signals).items()}

    @extend_schema_field(
        IngressMetricsSerializer(allow_null=True, help_text=f"{_TRAFFIC} Null: nowhere, or not shown. {_INSIDE}")
    )
    def get_ingress_metrics(self, host: HostCluster) -> dict[str, str] | None:
        return host.ingress_metrics or None

    @extend_schema_field({"type": ["object", "null"], "description": "Shown to platform staff only."})
    def get_values(self, host: HostCluster) -> dict[str, Any] | None:
        values: dict[str, Any] = host.values
        return values if self._staff else None

    @extend_schema_field(OfferedTo(allow_null=True, help_text=_INSIDE))
    def get_offered_to(self, host: HostCluster) -> dict[str, Any]:
        return {
            "all": host.offered_to_all,
            "organizations": [str(each) for each in host.offered_to_organizations.all()],
            "projects": [str(each) for each in host.offered_to_projects.all()],
        }

    @extend_schema_field(
        serializers.ListField(
            child=serializers.CharField(), allow_null=True, help_text=f"Whom its region is offered to. {_INSIDE}"
        )
    )
    def get_offered_by_region(self, host: HostCluster) -> list[str]:
        return self._regions.get(host.region, []) if host.scope == HostScope.PLATFORM else []

    @cached_property
    def _regions(self) -> dict[str, list[str]]:
        """Whom each region is offered to. Asked once for a whole list, and only where it will be shown."""
        found: dict[str, list[str]] = {}
        if self._staff:
            for offer in RegionOffer.objects.select_related("organization", "project__organization"):
                found.setdefault(offer.region, []).append(str(offer.offered_to))
        return found
