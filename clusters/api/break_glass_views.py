"""/virtual-clusters/{id}/break-glass: platform staff in one tenant's cluster, for a while and with a reason."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.idempotency import idempotent
from accounts.api.references import UserReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import RoleBinding
from clusters.services.break_glass import (
    DEFAULT_MINUTES,
    MAXIMUM_MINUTES,
    REASON_LENGTHS,
    ROLES,
    break_glass,
    break_glass_end,
    glass_broken_seen,
)


class BreakGlassSerializer(serializers.ModelSerializer[RoleBinding]):
    """Who of the platform staff is in the cluster, until when, and why."""

    who = UserReference(source="user", read_only=True)
    role = serializers.ChoiceField(choices=ROLES, read_only=True)
    until = serializers.DateTimeField(source="expires_at", read_only=True)

    class Meta:
        model = RoleBinding
        fields = ("id", "who", "role", "until", "reason", "created_at")
        read_only_fields = fields


class BreakGlassCreate(StrictSerializer):
    """Breaks the glass."""

    reason = serializers.CharField(
        max_length=REASON_LENGTHS[1], help_text=f"At least {REASON_LENGTHS[0]} characters; the owner reads it."
    )
    minutes = serializers.IntegerField(
        required=False, help_text=f"{MAXIMUM_MINUTES} at most; {DEFAULT_MINUTES} where it is left out."
    )
    role = serializers.ChoiceField(choices=ROLES, required=False, help_text=f"Else {ROLES[0]}.")


class BreakGlassResource(ListedResource[RoleBinding]):
    """Emergency access of platform staff."""

    serializer_class = BreakGlassSerializer

    def visible(self) -> QuerySet[RoleBinding]:
        return glass_broken_seen(cluster_id=self.kwargs["cluster"], user=self.user, now=timezone.now())

    @extend_schema(operation_id="virtual_clusters_break_glass_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who is in the cluster by broken glass at the moment, until when, and why."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="virtual_clusters_break_glass_create",
        request=BreakGlassCreate,
        responses={201: BreakGlassSerializer},
    )
    @idempotent
    def create(self, request: Request, cluster: UUID) -> Response:
        """Breaks the glass: a role for one cluster, its owner is told. For platform staff."""
        grant = break_glass(cluster_id=cluster, actor=self.actor, now=timezone.now(), **self.body(BreakGlassCreate))
        headers = {"Location": f"{request.path}/{grant.pk}"}
        return Response(self.shown(grant), status=HTTP_201_CREATED, headers=headers)

    @extend_schema(operation_id="virtual_clusters_break_glass_destroy", request=None, responses={204: None})
    def destroy(self, request: Request, cluster: UUID, grant: UUID, **kwargs: Any) -> Response:
        """Ends it early. For platform staff, the cluster's owner and the admins of its project."""
        self.no_body()
        break_glass_end(cluster_id=cluster, grant_id=grant, actor=self.actor, now=timezone.now())
        return Response(status=204)
