"""/virtual-clusters/{id}/migrate and .../migrate-preflight: moving a cluster to another host."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import in_reach, platform_staff
from accounts.api.idempotency import idempotent
from accounts.api.strict import StrictSerializer
from accounts.token_scope import without_limits
from clusters.api.fields import HostField
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import OperationAnswer, operation_accepted
from clusters.models import Operation, VirtualCluster, VirtualClusterPhase
from clusters.move_choices import MOVE_CHOICES, MOVE_ORDERS
from clusters.move_wish import MoveWish
from clusters.selectors import operations_list
from clusters.services.migrating import virtual_cluster_migrate, virtual_cluster_migrate_preflight

_CHOICES = "; ".join(f"{name}: {' or '.join(options)}" for name, options in MOVE_CHOICES.items())


class MoveSerializer(StrictSerializer):
    """Where it goes. With neither host nor `back` Marina chooses among the hosts offered to its project."""

    to = HostField(required=False, allow_null=True, help_text="The host, by id or name.")
    back = serializers.BooleanField(
        required=False, help_text="Back to the host that it came from, as long as what it was there is kept."
    )
    choices = serializers.DictField(
        child=serializers.CharField(max_length=40),
        required=False,
        help_text=f"What was chosen of what the preflight found; {_CHOICES}.",
    )
    orders = serializers.DictField(
        child=serializers.CharField(max_length=20),
        required=False,
        help_text=f'By workload, as "Deployment.apps NAMESPACE/NAME": {" or ".join(MOVE_ORDERS)}.',
    )


class MoveResource(GlassNoted):
    """Moving a cluster. Platform staff may do it without a role in the project: they empty hosts."""

    serializer_class = OperationSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        seen = Q() if platform_staff(self.user) else in_reach(self.user, "virtualcluster.view")
        clusters = VirtualCluster.objects.filter(seen).exclude(phase=VirtualClusterPhase.DELETED)
        return clusters.select_related("project__organization")

    @extend_schema(operation_id="virtual_clusters_migrate", request=MoveSerializer, responses={202: OperationAnswer})
    @idempotent
    def migrate(self, request: Request, pk: UUID) -> Response:
        """Starts to move it to another host. What nobody chose yet ends the operation before anything is done."""
        wish = self._wish()
        work = virtual_cluster_migrate(
            virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), move=wish
        )
        return self._answer(work.operation)

    @extend_schema(
        operation_id="virtual_clusters_migrate_preflight", request=MoveSerializer, responses={202: OperationAnswer}
    )
    @idempotent
    def preflight(self, request: Request, pk: UUID) -> Response:
        """Starts a look at what the move would meet; the operation shows the report. It changes nothing."""
        wish = self._wish()
        operation = virtual_cluster_migrate_preflight(
            virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), move=wish
        )
        return self._answer(operation)

    def _wish(self) -> MoveWish:
        body: dict[str, Any] = self.body(MoveSerializer)
        return MoveWish(**body)

    def _answer(self, operation: Operation) -> Response:
        """Without the cluster: staff who move it are not shown what is in it."""
        everything = without_limits(self.user)  # what this request began is told whatever its token leaves
        return operation_accepted(OperationSerializer(operations_list(everything).get(pk=operation.pk)).data, operation)
