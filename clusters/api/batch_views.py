"""/virtual-clusters/batch-create and /virtual-clusters/batch-delete: several in one request."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import UNSEEN
from accounts.api.accepted import RETRY_AFTER_SECONDS
from accounts.api.actor import request_id_of
from accounts.api.idempotency import idempotent
from accounts.api.problems import problem_of_marina
from accounts.api.rates import writes_count
from accounts.api.refusals import item_refused
from accounts.api.strict import StrictSerializer
from accounts.errors import MarinaError, NotFound, PreconditionFailed
from accounts.services.audit_refusals import Attempt
from accounts.token_scope import without_limits
from clusters.api.batch_serializers import (
    BatchAnswerSerializer,
    BatchCreateSerializer,
    BatchDeleteItem,
    BatchDeleteSerializer,
)
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationSerializer
from clusters.api.virtual_cluster_making import cluster_make
from clusters.api.virtual_cluster_serializers import VirtualClusterCreateSerializer, VirtualClusterSerializer
from clusters.models import Operation, VirtualCluster
from clusters.selectors import operations_list, virtual_clusters_list
from clusters.services.batches import Item, Outcome, batch_run, batch_whole, clusters_lock, projects_lock
from clusters.services.virtual_clusters import ClusterWork, virtual_cluster_delete

ANSWERS: Final = {200: BatchAnswerSerializer, 202: BatchAnswerSerializer}
Read = dict[str, Any] | MarinaError


class BatchResource(GlassNoted):
    """Several virtual clusters at once. Every item is checked and answered as it would be alone."""

    serializer_class = VirtualClusterSerializer

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with self.undoable():  # what is recorded of refused items is written when all else is kept or undone
            response = super().dispatch(request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
        return response

    @extend_schema(
        operation_id="virtual_clusters_batch_create", request=BatchCreateSerializer, responses=ANSWERS, filters=False
    )
    @idempotent
    def batch_create(self, request: Request) -> Response:
        """Starts several new virtual clusters. 202 where at least one is started, 200 where all were refused."""
        body, read = self._items(BatchCreateSerializer, VirtualClusterCreateSerializer)
        projects_lock({each["project"].pk for each in read if isinstance(each, dict)})
        new = partial(Attempt, action="virtualcluster.create", kind="virtual-cluster")
        tried = [(_item(each, partial(cluster_make, request)), new()) for each in read]
        return self._answer(tried, whole=body.get("all_or_nothing", False))

    @extend_schema(
        operation_id="virtual_clusters_batch_delete", request=BatchDeleteSerializer, responses=ANSWERS, filters=False
    )
    @idempotent
    def batch_delete(self, request: Request) -> Response:
        """Starts the deletion of several. 202 where at least one is started, 200 where none had to or could be."""
        body, read = self._items(BatchDeleteSerializer, BatchDeleteItem)
        asked = {each["id"] for each in read if isinstance(each, dict)}
        seen = {row.pk: row for row in self.visible().prefetch_related(None).filter(pk__in=asked)}
        for key in seen:
            self.cluster_reached(key)
        delete = partial(self._delete, seen, clusters_lock(seen))
        tried = [(_item(each, delete), _deletion(seen, each)) for each in read]
        return self._answer(tried, whole=body.get("all_or_nothing", False))

    def _items(self, whole: type[StrictSerializer], one: type[StrictSerializer]) -> tuple[dict[str, Any], list[Read]]:
        """The body, and its items, each read or the reason why it cannot be."""
        body = self.body(whole)
        writes_count(self.request, further=len(body["items"]) - 1)
        context = self.get_serializer_context()
        return body, [_read(one(data=each, context=context)) for each in body["items"]]

    def _delete(self, seen: dict[UUID, VirtualCluster], at: dict[UUID, int], body: dict[str, Any]) -> ClusterWork:
        cluster = seen.get(body["id"])
        if cluster is None or cluster.pk not in at:  # the latter went with its project meanwhile
            raise NotFound(UNSEEN)
        if body.get("generation", at[cluster.pk]) != at[cluster.pk]:
            raise PreconditionFailed(
                f"It was changed since you read it: it is at generation {at[cluster.pk]} now.",
                hint="Read it again, look at what changed, and repeat your change with the new generation.",
            )
        purge = body.get("purge", False)
        return virtual_cluster_delete(virtual_cluster=cluster, actor=self.actor, now=timezone.now(), purge=purge)

    def _answer(self, tried: Sequence[tuple[Item, Attempt]], *, whole: bool) -> Response:
        outcomes = batch_run(item for item, _ in tried)
        for outcome, (_, attempt) in zip(outcomes, tried, strict=True):
            if isinstance(outcome, MarinaError):
                self.keep(partial(item_refused, outcome, request=self.request, attempt=attempt))
        if whole:
            batch_whole(outcomes)
        works = [each for each in outcomes if isinstance(each, ClusterWork)]
        body = {
            "accepted": len(works),
            "refused": len(outcomes) - len(works),
            "results": self._results(outcomes, works),
        }
        if not any(work.created for work in works):
            return Response(body)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)

    def _results(self, outcomes: Sequence[Outcome], works: Sequence[ClusterWork]) -> list[dict[str, Any]]:
        """All that is shown of them is read together."""
        clusters = self.get_queryset().in_bulk([work.virtual_cluster.pk for work in works])
        # told whatever the token leaves, else the answer to what was done were an error
        operations = operations_list(without_limits(self.user)).in_bulk([work.operation.pk for work in works])
        return [
            self._refused(each) if isinstance(each, MarinaError) else self._done(each, clusters, operations)
            for each in outcomes
        ]

    def _refused(self, error: MarinaError) -> dict[str, Any]:
        problem = problem_of_marina(error).body(request_id_of(self.request))
        return {"status": error.status, "virtual_cluster": None, "operation": None, "problem": problem}

    def _done(
        self, work: ClusterWork, clusters: dict[UUID, VirtualCluster], operations: dict[UUID, Operation]
    ) -> dict[str, Any]:
        cluster = clusters.get(work.virtual_cluster.pk, work.virtual_cluster)
        return {
            "status": status.HTTP_202_ACCEPTED if work.created else status.HTTP_200_OK,
            "virtual_cluster": self.get_serializer(cluster).data,
            "operation": OperationSerializer(operations.get(work.operation.pk, work.operation)).data,
            "problem": None,
        }


def _read(serializer: StrictSerializer) -> Read:
    try:
        serializer.is_valid(raise_exception=True)
    except MarinaError as error:
        return error
    body: dict[str, Any] = serializer.validated_data
    return body


def _item(read: Read, act: Callable[[dict[str, Any]], ClusterWork]) -> Item:
    def do() -> ClusterWork:
        if isinstance(read, MarinaError):
            raise read
        return act(read)

    return do


def _deletion(seen: dict[UUID, VirtualCluster], read: Read) -> Attempt:
    row = seen.get(read["id"]) if isinstance(read, dict) else None
    if row is None:
        return Attempt(action="virtualcluster.delete", kind="virtual-cluster")
    return Attempt.on("virtualcluster.delete", row)
