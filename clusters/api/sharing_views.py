"""/virtual-clusters/{id}/shares: roles for one cluster alone."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import UNSEEN, require
from accounts.api.fields import RoleNameField
from accounts.api.idempotency import idempotent
from accounts.api.people import subject_given
from accounts.api.references import ServiceAccountReference, TeamReference, UserReference
from accounts.api.resources import ListedResource
from accounts.api.role_bindings import one_of
from accounts.api.strict import StrictSerializer
from accounts.errors import NotFound
from accounts.models import RoleBinding
from accounts.services.role_bindings import role_binding_delete
from clusters.api.glass_noting import GlassNoted
from clusters.models import VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.services.sharing import shares_of, virtual_cluster_share


class ShareSerializer(serializers.ModelSerializer[RoleBinding]):
    """Who has which role for the cluster alone, until when."""

    user = UserReference(read_only=True, allow_null=True)
    team = TeamReference(read_only=True, allow_null=True)
    service_account = ServiceAccountReference(read_only=True, allow_null=True)
    role = serializers.CharField(read_only=True)

    class Meta:
        model = RoleBinding
        fields = ("id", "user", "team", "service_account", "role", "expires_at", "created_at")
        read_only_fields = fields


class ShareCreate(StrictSerializer):
    """A role to give for this cluster alone. No role that allows more than your own."""

    user = serializers.CharField(required=False, max_length=40, help_text="Handle or id.")
    team = serializers.CharField(required=False, max_length=40, help_text="Name or id.")
    service_account = serializers.CharField(required=False, max_length=130, help_text="Name, project/name, or id.")
    role = RoleNameField(help_text="viewer, developer, admin, or one of the organization's own.")
    expires_in = serializers.IntegerField(required=False, help_text="Seconds. Without an end where it is left out.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        one_of(attrs, "user", "team", "service_account")
        return attrs


class ShareResource(GlassNoted, ListedResource[RoleBinding]):
    """Roles for one virtual cluster alone."""

    serializer_class = ShareSerializer
    search_fields = ("user__handle", "team__name", "service_account__name")
    lookup_url_kwarg = "share"

    def visible(self) -> QuerySet[RoleBinding]:
        return shares_of(self._cluster())

    @extend_schema(operation_id="virtual_clusters_shares_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who has a role for this cluster alone."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="virtual_clusters_shares_create", request=ShareCreate, responses={201: ShareSerializer})
    @idempotent
    def create(self, request: Request, cluster: UUID) -> Response:
        """Shares this cluster: with a user, a team or a service account, for a while or for good."""
        body, shared = self.body(ShareCreate), self._cluster()
        require(self.user, "virtualcluster.share", shared)  # before anybody's name is looked up
        given = {name: body[name] for name in ("role", "expires_in", "expires_at") if name in body}
        share = virtual_cluster_share(
            virtual_cluster=shared, subject=subject_given(body, shared), actor=self.actor, now=timezone.now(), **given
        )
        headers = {"Location": f"{request.path}/{share.pk}"}
        return Response(self.shown(share), status=HTTP_201_CREATED, headers=headers)

    @extend_schema(operation_id="virtual_clusters_shares_destroy", request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes a role for this cluster away, or gives up one's own."""
        share = self.get_object()
        self.no_body()
        role_binding_delete(actor=self.actor, binding=share, now=timezone.now())
        return Response(status=204)

    def _cluster(self) -> VirtualCluster:
        found = virtual_clusters_list(self.user).filter(pk=self.kwargs["cluster"]).first()
        if found is None:
            raise NotFound(UNSEEN)
        self.cluster_reached(found.pk)
        return found
