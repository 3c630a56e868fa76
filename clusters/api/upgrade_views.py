"""Upgrades over the API: actions of a virtual cluster."""

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
from clusters.api.operation_views import OperationAnswer, operation_accepted
from clusters.api.virtual_cluster_answer import VirtualClusterAnswer
from clusters.services.upgrading import VersionChange, upgrade_preflight, virtual_cluster_upgrade
from clusters.services.virtual_clusters import ClusterWork


class VersionChangeSerializer(StrictSerializer):
    """To which versions. Without either: to the newest that there is a way to."""

    kubernetes_version = serializers.CharField(
        required=False,
        max_length=40,
        help_text="Such as 1.36.3, or 1.36 for the newest patch of it. As it is, if not given.",
    )
    chart_version = serializers.CharField(
        required=False, max_length=40, help_text="Of vcluster's chart, such as 0.36.1. As it is, if not given."
    )


class UpgradeSerializer(VersionChangeSerializer):
    """To which versions, and what was chosen."""

    choices = serializers.DictField(
        child=serializers.CharField(max_length=60),
        required=False,
        help_text="By the names of the choices that its preflight reports, such as removed-apis: accept.",
    )


class UpgradeActions:
    """Mixed into the resource of virtual clusters."""

    get_object: Callable[[], Any]
    body: Callable[..., dict[str, Any]]
    actor: Any
    answer: Callable[[ClusterWork], Response]
    _operation: Callable[[Any], dict[str, Any]]

    @extend_schema(request=UpgradeSerializer, responses={202: VirtualClusterAnswer})
    @action(detail=True, methods=["post"])
    @idempotent
    def upgrade(self, request: Request, pk: str) -> Response:
        """Starts its upgrade, one minor after the other. 400 says why there is no way, and what the next step is.

        What blocks it, or has to be chosen, is looked at once more when it begins; then it fails before anything is
        done. An asleep one is upgraded asleep.
        """
        body = self.body(UpgradeSerializer)
        choices = body.pop("choices", {})
        return self.answer(
            virtual_cluster_upgrade(
                virtual_cluster=self.get_object(),
                actor=self.actor,
                now=timezone.now(),
                change=VersionChange(**body),
                choices=choices,
            )
        )

    @extend_schema(request=VersionChangeSerializer, responses={202: OperationAnswer})
    @action(detail=True, methods=["post"], url_path="upgrade-preflight")
    @idempotent
    def upgrade_preflight(self, request: Request, pk: str) -> Response:
        """Starts to look at what an upgrade would meet: the operation has it as `report` once it Succeeded.

        Nothing is changed: the way, what blocks it, what is to be chosen, who uses what will be gone, and until when
        it can be put back.
        """
        change = VersionChange(**self.body(VersionChangeSerializer))
        operation = upgrade_preflight(
            virtual_cluster=self.get_object(), actor=self.actor, now=timezone.now(), change=change
        )
        return operation_accepted(self._operation(operation.pk), operation)
