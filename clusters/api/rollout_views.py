"""/rollouts"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource
from accounts.errors import NotFound
from clusters.api.rollout_serializers import (
    RolloutCreate,
    RolloutMadeSerializer,
    RolloutMemberSerializer,
    RolloutSerializer,
)
from clusters.models import Rollout, RolloutAction, RolloutMember, RolloutMemberState, RolloutState
from clusters.selectors_rollouts import rollout_members_list, rollouts_counts, rollouts_list
from clusters.services.rollout_deciding import rollout_abort, rollout_pause, rollout_resume, rollout_retry
from clusters.services.rollouts import RolloutOrder, rollout_create


class RolloutFilter(filters.FilterSet):
    """By scope and state."""

    name = filters.CharFilter()
    organization = ReferenceFilter(by_name="organization__name", help_text="Id or name.")
    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    action = filters.MultipleChoiceFilter(choices=RolloutAction.choices)
    state = filters.MultipleChoiceFilter(choices=RolloutState.choices)

    class Meta:
        model = Rollout
        fields: ClassVar[list[str]] = []


class RolloutViewSet(ListedResource[Rollout]):
    """One change of many virtual clusters, wave after wave."""

    serializer_class = RolloutSerializer
    filterset_class = RolloutFilter

    def visible(self) -> QuerySet[Rollout]:
        return rollouts_list(self.user)

    def rows_listed(self, rows: Sequence[Rollout]) -> None:
        counts = rollouts_counts(rows)
        for each in rows:
            each.counts = counts.get(each.pk, {})  # type: ignore[attr-defined]

    @extend_schema(request=RolloutCreate, responses={201: RolloutMadeSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a rollout, which begins by itself. With `dry_run` the answer shows its waves, and nothing is made.

        It takes virtualcluster.rollout in every project that it touches; without organization and project it is the
        platform's, for its staff.
        """
        rollout = rollout_create(order=order_read(self.body(RolloutCreate)), actor=self.actor, now=timezone.now())
        shown = RolloutMadeSerializer(rollout, context=self.get_serializer_context()).data
        return Response(shown, status=HTTP_201_CREATED, headers={"Location": f"{request.path}/{rollout.pk}"})

    def _decided(self, decide: Callable[..., Rollout]) -> Response:
        self.no_body()
        rollout = decide(rollout=self.get_object(), actor=self.actor, now=timezone.now())
        return Response(self.shown(rollout))

    @extend_schema(request=None, responses={200: RolloutSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def pause(self, request: Request, pk: str) -> Response:
        """Begins nothing more until it is resumed; what is at work goes on."""
        return self._decided(rollout_pause)

    @extend_schema(request=None, responses={200: RolloutSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def resume(self, request: Request, pk: str) -> Response:
        """Goes on: after a pause, between waves, and after a halt, whose failures then count no more."""
        return self._decided(rollout_resume)

    @extend_schema(request=None, responses={200: RolloutSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def abort(self, request: Request, pk: str) -> Response:
        """Skips what has not begun; what is at work ends by itself."""
        return self._decided(rollout_abort)

    @extend_schema(request=None, responses={200: RolloutSerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def retry(self, request: Request, pk: str) -> Response:
        """Queues what failed once more, also after its end."""
        return self._decided(rollout_retry)


def order_read(body: dict[str, Any]) -> RolloutOrder:
    """The body as the service takes it."""
    selector, to = body.pop("selector", {}), body.pop("to", {})
    return RolloutOrder(
        **body,
        labels=selector.get("labels", {}),
        on_version=selector.get("kubernetes_version", ""),
        on_host=selector.get("host"),
        kubernetes_version=to.get("kubernetes_version", ""),
        chart_version=to.get("chart_version", ""),
        to=to.get("host"),
    )


class RolloutMemberFilter(filters.FilterSet):
    """By what became of them."""

    state = filters.MultipleChoiceFilter(choices=RolloutMemberState.choices)
    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster")

    class Meta:
        model = RolloutMember
        fields: ClassVar[list[str]] = []


class RolloutMemberResource(ListedResource[RolloutMember]):
    """The clusters of one rollout, in their order, and what became of each."""

    serializer_class = RolloutMemberSerializer
    filterset_class = RolloutMemberFilter
    ordering_fields: ClassVar[tuple[str, ...]] = ("position",)
    ordering = ("position",)

    def visible(self) -> QuerySet[RolloutMember]:
        rollout = rollouts_list(self.user).filter(pk=self.kwargs["rollout"]).first()
        if rollout is None:
            raise NotFound("There is no such rollout, or you have no role that shows it.")
        return rollout_members_list(rollout)

    @extend_schema(operation_id="rollouts_members_list")
    def list(self, request: Request, rollout: UUID) -> Response:
        """The clusters of a rollout, in their order, and what became of each."""
        return super().list(request)
