"""Sleep and wake over the API: actions of a virtual cluster."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.strict import StrictSerializer
from clusters.api.virtual_cluster_answer import VirtualClusterAnswer
from clusters.services.sleeping import virtual_cluster_sleep, virtual_cluster_wake
from clusters.services.virtual_clusters import ClusterWork


class SleepSerializer(StrictSerializer):
    """How it is put to sleep."""

    why = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="Shown on the cluster.")
    lose_pods = serializers.BooleanField(
        required=False,
        help_text="Gives up pods that no controller makes again; else they are named, and it stays awake.",
    )


class SleepActions:
    """Mixed into the resource of virtual clusters."""

    get_object: Callable[[], Any]
    body: Callable[..., dict[str, Any]]
    no_body: Callable[[], None]
    actor: Any
    answer: Callable[[ClusterWork], Response]

    @extend_schema(request=SleepSerializer, responses={200: VirtualClusterAnswer, 202: VirtualClusterAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def sleep(self, request: Request, pk: str) -> Response:
        """Puts it to sleep: state and data stay, nothing of it runs. 200 where it sleeps, or is falling asleep."""
        body = self.body(SleepSerializer)
        return self.answer(
            virtual_cluster_sleep(virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), **body)
        )

    @extend_schema(request=None, responses={200: VirtualClusterAnswer, 202: VirtualClusterAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def wake(self, request: Request, pk: str) -> Response:
        """Wakes it; its operation tells when its API and its workloads were back. 200 where it is awake or waking."""
        self.no_body()
        return self.answer(
            virtual_cluster_wake(virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now())
        )
