"""/host-clusters/{id}/lost, .../found and .../evacuate"""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_202_ACCEPTED

from accounts.api.idempotency import idempotent
from accounts.api.resources import Resource
from clusters.access import clusters_told
from clusters.api.host_loss_serializers import (
    EvacuateAnswer,
    EvacuateSerializer,
    HostLostAnswer,
    HostLostSerializer,
    loss_shown,
)
from clusters.api.host_serializers import HostClusterSerializer
from clusters.api.rollout_serializers import RolloutMadeSerializer
from clusters.models import HostCluster, VirtualCluster
from clusters.selectors import hosts_list
from clusters.services.evacuating import Evacuation, host_evacuate
from clusters.services.lost_hosts import host_found, host_lost


class HostLossResource(Resource[HostCluster]):
    """Hosts that are lost, found again, or emptied."""

    serializer_class = HostClusterSerializer

    def visible(self) -> QuerySet[HostCluster]:
        return hosts_list(self.user)

    @extend_schema(operation_id="host_clusters_lost", request=HostLostSerializer, responses={202: HostLostAnswer})
    @idempotent
    def lost(self, request: Request, pk: UUID) -> Response:
        """Gives a host up that does not answer any more: what was on it is made again elsewhere, from its last exports.

        With `dry_run` the answer shows from when each would be, and where it would go. Said again, it begins anew what
        did not come back.
        """
        body = self.body(HostLostSerializer)
        said = host_lost(host=self.get_object(), actor=self.actor, now=timezone.now(), **body)
        keys = [each.cluster.pk for each in said.loss.members]
        keys += [each.virtual_cluster_id for each in said.loss.moving if each.virtual_cluster_id]
        told = VirtualCluster.objects.filter(clusters_told(self.actor), pk__in=keys)
        shown = loss_shown(said, seen=set(told.values_list("pk", flat=True)))
        return Response({"host_cluster": self.shown(said.host), **shown}, status=HTTP_202_ACCEPTED)

    @extend_schema(operation_id="host_clusters_found", request=None, responses={200: HostClusterSerializer})
    @idempotent
    def found(self, request: Request, pk: UUID) -> Response:
        """A lost host that answers again counts as lost no more. It stays cordoned; what is not back goes on there."""
        self.no_body()
        return Response(self.shown(host_found(host=self.get_object(), actor=self.actor, now=timezone.now())))

    @extend_schema(operation_id="host_clusters_evacuate", request=EvacuateSerializer, responses={202: EvacuateAnswer})
    @idempotent
    def evacuate(self, request: Request, pk: UUID) -> Response:
        """Cordons a host and moves all that is on it away, as a rollout. What cannot go stays, and says why."""
        wish, host = Evacuation(**self.body(EvacuateSerializer)), self.get_object()
        rollout = host_evacuate(host=host, actor=self.actor, now=timezone.now(), wish=wish)
        context = self.get_serializer_context()
        shown = RolloutMadeSerializer(rollout, context=context).data if rollout else None
        changed = self.shown(hosts_list(self.user).get(pk=host.pk))
        return Response({"host_cluster": changed, "rollout": shown}, status=HTTP_202_ACCEPTED)
