"""Operations over the API: reading, retrying, aborting, and fetching a sealed result once."""

import base64
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.accepted import accepted
from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource
from accounts.api.since import Changes
from clusters.api.glass_noting import GlassNoted
from clusters.api.operation_serializers import OperationDetailSerializer, OperationSerializer
from clusters.models import Operation, OperationKind, OperationState
from clusters.selectors import operation_tombstones, operations_list
from clusters.services.kubeconfigs import sealed_result_take
from clusters.services.operations import operation_abort, operation_retry


class IdsFilter(filters.BaseInFilter, filters.UUIDFilter):
    """Several ids, parted by commas."""


class OperationFilter(filters.FilterSet):
    """?virtual_cluster= and ?host_cluster= take ids."""

    id = IdsFilter(field_name="pk", lookup_expr="in", help_text="Ids, parted by commas: to watch several at once.")
    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster_id")
    host_cluster = filters.UUIDFilter(field_name="host_id")
    state = filters.MultipleChoiceFilter(choices=OperationState.choices)
    kind = filters.MultipleChoiceFilter(choices=OperationKind.choices)

    class Meta:
        model = Operation
        fields: ClassVar[list[str]] = []


class OperationAnswer(serializers.Serializer[Any]):
    """What a request that starts work is answered with."""

    operation = OperationSerializer()


class SealedAnswer(serializers.Serializer[Any]):
    """Base64 of a PyNaCl SealedBox that only the holder of the one-time key can open."""

    sealed = serializers.CharField()


class OperationViewSet(GlassNoted, ListedResource[Operation]):
    """One piece of work each, with its steps."""

    serializer_class = OperationSerializer
    filterset_class = OperationFilter
    changes: ClassVar[Changes] = Changes(
        kind="operation", told=operation_tombstones, filters=("virtual_cluster", "host_cluster", "kind")
    )
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {"sealed_result": ("410",)}

    def visible(self) -> QuerySet[Operation]:
        found = operations_list(self.user)
        return found.prefetch_related("events") if self.action == "retrieve" else found.defer("difference")

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return OperationDetailSerializer if self.action == "retrieve" else OperationSerializer

    @extend_schema(request=None, responses={202: OperationAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def retry(self, request: Request, pk: str) -> Response:
        """Has a Failed operation go on from its failed step."""
        self.no_body()
        operation = operation_retry(operation=self.get_object(), actor=self.actor, now=timezone.now())
        return operation_accepted(self.shown(operation), operation)

    @extend_schema(request=None, responses={202: OperationAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def abort(self, request: Request, pk: str) -> Response:
        """Ends an operation before its next step. What its steps made stays, for a delete."""
        self.no_body()
        operation = operation_abort(operation=self.get_object(), actor=self.actor, now=timezone.now())
        return operation_accepted(self.shown(operation), operation)

    @extend_schema(responses={200: SealedAnswer})
    @action(detail=True, methods=["get"], url_path="sealed-result")
    def sealed_result(self, request: Request, pk: str) -> Response:
        """Hands over the sealed result, once, to the person who asked for it."""
        if request.method == "HEAD":  # would take it without giving it
            raise MethodNotAllowed("HEAD")
        sealed = sealed_result_take(operation=self.get_object(), actor=self.actor, now=timezone.now())
        return Response({"sealed": base64.b64encode(sealed).decode()}, headers={"Cache-Control": "no-store"})


def operation_accepted(shown: dict[str, Any], operation: Operation, **further: Any) -> Response:
    """202 with the operation, and the object it is about."""
    return accepted({"operation": shown, **further}, operation_url=f"/api/v1/operations/{operation.pk}")
