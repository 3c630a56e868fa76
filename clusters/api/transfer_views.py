"""/virtual-clusters/{id}/transfer: another owner, another project."""

from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import actor_require
from accounts.api.fields import ProjectField
from accounts.api.idempotency import idempotent
from accounts.api.preconditions import etag_set, if_match_check
from accounts.api.strict import StrictSerializer
from accounts.token_scope import without_limits
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import operation_accepted
from clusters.api.owners import OwnerTextField, owner_given
from clusters.api.virtual_cluster_answer import VirtualClusterAnswer
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.models import VirtualCluster
from clusters.selectors import operations_list, virtual_clusters_list
from clusters.services.ownership import owner_may
from clusters.services.transferring import Transferred, virtual_cluster_transfer


class TransferSerializer(StrictSerializer):
    """To whom it goes, or where, or both."""

    owner = OwnerTextField()
    project = ProjectField(required=False, help_text="Id, or organization/name.")


class TransferResource(GlassNoted):
    """Giving a cluster away."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(
        operation_id="virtual_clusters_transfer",
        request=TransferSerializer,
        responses={200: VirtualClusterSerializer, 202: VirtualClusterAnswer},
    )
    @idempotent
    def transfer(self, request: Request, pk: UUID) -> Response:
        """Gives it to another owner (200), or takes it into another project (202 where its host has to follow)."""
        body = self.body(TransferSerializer)
        with transaction.atomic():
            seen = self.get_object()
            done = virtual_cluster_transfer(
                virtual_cluster=seen,
                actor=self.actor,
                now=timezone.now(),
                precondition=partial(if_match_check, request),
                **self._wish(seen, body),
            )
        return etag_set(self._answer(done), done.virtual_cluster)

    def _wish(self, seen: VirtualCluster, body: dict[str, Any]) -> dict[str, Any]:
        if "owner" not in body:
            return body
        if not owner_may(self.user, "virtualcluster.transfer", seen):  # before anybody's name is looked up
            actor_require(self.actor, "virtualcluster.transfer", seen)
        return {**body, "owner": owner_given(body["owner"], project=body.get("project") or seen.project)}

    def _answer(self, done: Transferred) -> Response:
        shown = self.shown(done.virtual_cluster)
        if done.operation is None:
            return Response(shown)
        operation = OperationSerializer(operations_list(without_limits(self.user)).get(pk=done.operation.pk)).data
        return operation_accepted(operation, done.operation, virtual_cluster=shown)
