"""/gateway-requests"""

from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.resources import ListedResource
from clusters.api.gateway_request_filters import GatewayRequestFilters
from clusters.models import GatewayRequest
from clusters.selectors_books import gateway_requests_require, gateway_requests_visible_to


class GatewayRequestSerializer(serializers.ModelSerializer[GatewayRequest]):
    """One request through the gateway: who did what inside which cluster."""

    acting_as_groups = serializers.ListField(child=serializers.CharField(), read_only=True)
    acting_as_extras = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = GatewayRequest
        fields = (
            "id",
            "at",
            "organization_id",
            "project_id",
            "cluster_id",
            "cluster",
            "user_id",
            "user",
            "by_token",
            "access",
            "broken_glass",
            "acting_as",
            "acting_as_uid",
            "acting_as_groups",
            "acting_as_extras",
            "verb",
            "group",
            "version",
            "resource",
            "subresource",
            "namespace",
            "name",
            "path",
            "status",
            "refused_for",
            "seconds",
            "address",
            "user_agent",
        )
        read_only_fields = fields


class GatewayRequestResource(ListedResource[GatewayRequest]):
    """Requests inside virtual clusters: for auditors and admins of the organization, and admins of the project.

    Which of them are written down is the project's setting `request_audit`; those made by `kubectl --as` always are.
    """

    serializer_class = GatewayRequestSerializer
    filterset_class = GatewayRequestFilters
    search_fields = ("user", "cluster", "resource", "namespace", "name")
    ordering_fields: ClassVar[tuple[str, ...]] = ()
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {"list": ("403",)}

    def visible(self) -> QuerySet[GatewayRequest]:
        return gateway_requests_visible_to(self.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Requests through the gateway that were written down, newest first; a few seconds late."""
        self._parameters_check(request)
        gateway_requests_require(self.user, request.query_params.get("cluster", ""))
        return super().list(request, *args, **kwargs)
