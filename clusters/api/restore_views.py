"""/exports/{id}/restore: making again what an export holds."""

from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import in_reach
from accounts.api.actor import user_of
from accounts.api.fields import ProjectField, ReferenceField
from accounts.api.idempotency import idempotent
from accounts.api.strict import StrictSerializer
from accounts.errors import InvalidInput
from accounts.selectors import uuid_of
from accounts.token_scope import without_limits
from clusters.api.fields import ClusterNameField, HostField
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import operation_accepted
from clusters.api.virtual_cluster_answer import VirtualClusterAnswer
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import Export, VirtualCluster
from clusters.selectors import operations_list, virtual_clusters_alive, virtual_clusters_list
from clusters.services.restoring import restore_as_new, restore_into

OF_NEW: Final = ("name", "project", "host", "kubernetes_version")
"""What is said of a cluster that is made for it, and of no other."""


@extend_schema_field(OpenApiTypes.STR)
class VirtualClusterField(ReferenceField):
    """A virtual cluster by id, among those the sender may see. Needs `request` in the context."""

    noun = "virtual cluster"
    accepted = "the id of a virtual cluster that is not deleted"

    def find(self, text: str) -> VirtualCluster | None:
        key = uuid_of(text)
        seen = virtual_clusters_alive(user_of(self.context["request"]))
        return None if key is None else seen.filter(pk=key).first()


class RestoreSerializer(StrictSerializer):
    """Where to: into a cluster that is there, or else into one that is made for it."""

    into = VirtualClusterField(required=False, help_text="The id of the cluster; left out: a new one is made.")
    overwrite = serializers.BooleanField(
        required=False,
        help_text="With `into`: bring what is there already and differs to what was exported. Else it stays, listed.",
    )
    name = ClusterNameField(required=False, help_text="Of the new cluster; left out: as it was called.")
    project = ProjectField(required=False, help_text="Id, or organization/name; left out: the project it was in.")
    host = HostField(required=False, help_text="Id or name; left out: one is chosen as for any new cluster.")
    kubernetes_version = serializers.CharField(
        required=False, max_length=40, help_text="Of the new cluster; left out: as it was, with the newest patch."
    )
    older_kubernetes = serializers.BooleanField(
        required=False,
        help_text="Restore although the cluster runs an older Kubernetes than the export's: what it refuses is listed.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in OF_NEW if name in attrs]
        if "into" in attrs and given:
            raise InvalidInput(
                "This is said of a new cluster, and `into` names one that is there.",
                field=given[0],
                accepted="leave it out, or leave `into` out",
            )
        if "overwrite" in attrs and "into" not in attrs:
            raise InvalidInput(
                "Nothing is overwritten in a new cluster.", field="overwrite", accepted="only together with `into`"
            )
        return attrs


class RestoreResource(GlassNoted):
    """Restoring from an export."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[Any]:
        seen = Export.objects.filter(in_reach(self.user, "virtualcluster.view", cluster="virtual_cluster"))
        return seen.select_related("virtual_cluster__project__organization")

    @extend_schema(operation_id="exports_restore", request=RestoreSerializer, responses={202: VirtualClusterAnswer})
    @idempotent
    def restore(self, request: Request, pk: UUID) -> Response:
        """Starts to make again what it holds: in a new cluster that is made as it was, or in the one named."""
        export = self.get_object()
        self.cluster_reached(export.virtual_cluster_id)
        body = self.body(RestoreSerializer)
        given: dict[str, Any] = {"export": export, "actor": self.actor, "now": timezone.now()}
        if "into" in body:
            work = restore_into(virtual_cluster=body.pop("into"), **given, **body)
        else:
            work = restore_as_new(**given, **body)
        everything = without_limits(self.user)  # what this request began is told whatever its token leaves
        operation = OperationSerializer(operations_list(everything).get(pk=work.operation.pk)).data
        cluster = VirtualClusterSerializer(virtual_clusters_list(everything).get(pk=work.virtual_cluster.pk)).data
        return operation_accepted(operation, work.operation, virtual_cluster=cluster)
