"""/virtual-clusters/{id}/forget-retained and /host-clusters/{id}/forget-retained: giving up what moves left behind."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_202_ACCEPTED

from accounts.api.idempotency import idempotent
from accounts.api.resources import Resource
from accounts.api.strict import StrictSerializer
from accounts.token_scope import without_limits
from clusters.access import clusters_told
from clusters.api.host_serializers import HostClusterSerializer
from clusters.api.move_views import MoveResource
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.operation_views import OperationAnswer
from clusters.models import HostCluster, VirtualCluster
from clusters.selectors import hosts_list, operations_list
from clusters.services.retained import GivenUp, host_retained_give_up, retained_give_up


class ForgetRetainedSerializer(StrictSerializer):
    """Which of the copies it is, where there are several."""

    host = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=63,
        help_text="The host that keeps it, by name or id; needed only where several do.",
    )


class RetainedResource(MoveResource):
    """What a cluster left where it was before. Platform staff may give it up without a role in the project."""

    @extend_schema(
        operation_id="virtual_clusters_forget_retained",
        request=ForgetRetainedSerializer,
        responses={202: OperationAnswer},
    )
    @idempotent
    def forget(self, request: Request, pk: UUID) -> Response:
        """Starts to remove what the cluster left on the host that it moved away from. It cannot go back there then."""
        body = self.body(ForgetRetainedSerializer)
        operation = retained_give_up(
            virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), host=body.get("host", "")
        )
        return self._answer(operation)


class StillKeptSerializer(serializers.Serializer[Any]):
    """A cluster of which the host keeps what it left."""

    virtual_cluster = serializers.CharField(help_text="organization/project/name")
    why = serializers.CharField(help_text="Why it was not given up, in a sentence.")


class HostForgetRetainedAnswer(serializers.Serializer[Any]):
    """The host, the removals that were begun there, and what stays."""

    host_cluster = HostClusterSerializer()
    operations = OperationSerializer(many=True)
    kept = StillKeptSerializer(many=True)
    hidden = serializers.IntegerField(help_text="How many more are kept that you may not see.")


class HostRetainedResource(Resource[HostCluster]):
    """What a host keeps of clusters that moved away from it."""

    serializer_class = HostClusterSerializer

    def visible(self) -> QuerySet[HostCluster]:
        return hosts_list(self.user)

    @extend_schema(
        operation_id="host_clusters_forget_retained", request=None, responses={202: HostForgetRetainedAnswer}
    )
    @idempotent
    def forget(self, request: Request, pk: UUID) -> Response:
        """Starts to remove all that clusters left there which moved away. They cannot go back to it then.

        What you may not move, and what a move or a recovery may need, stays.
        """
        self.no_body()
        given_up = host_retained_give_up(host=self.get_object(), actor=self.actor, now=timezone.now())
        return Response(self._given_up_shown(given_up), status=HTTP_202_ACCEPTED)

    def _given_up_shown(self, given_up: GivenUp) -> dict[str, Any]:
        begun = operations_list(without_limits(self.user)).filter(pk__in=[each.pk for each in given_up.operations])
        keys = [each.virtual_cluster.pk for each in given_up.kept]
        told = VirtualCluster.objects.filter(clusters_told(self.actor), pk__in=keys)
        seen = set(told.values_list("pk", flat=True))
        kept = [each for each in given_up.kept if each.virtual_cluster.pk in seen]
        return {
            "host_cluster": self.shown(given_up.host),
            "operations": OperationSerializer(begun.order_by("pk"), many=True).data,
            "kept": [{"virtual_cluster": str(each.virtual_cluster), "why": each.why} for each in kept],
            "hidden": len(given_up.kept) - len(kept),
        }
