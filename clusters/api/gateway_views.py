"""/virtual-clusters/{id}/kubeconfig and /gateway-credentials: how kubectl gets through the gateway."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import UNSEEN
from accounts.api.strict import StrictSerializer
from accounts.errors import InvalidInput, NotFound
from accounts.models import AccessToken
from clusters.access import KUBECONFIG_LEVELS
from clusters.api.glass_noting import GlassNoted
from clusters.api.virtual_cluster_serializers import VirtualClusterSerializer
from clusters.gateway_address import gateway_ca_pem, gateway_url_of
from clusters.models import VirtualCluster
from clusters.selectors import virtual_clusters_list
from clusters.services.gateway_credentials import gateway_credential_issue, gateway_kubeconfig

LEVEL = "admin or view; empty: the highest your role allows."
NO_STORE = {"Cache-Control": "no-store"}


class GatewayCredentialRequest(StrictSerializer):
    """Asks for a short-lived token."""

    level = serializers.CharField(required=False, allow_blank=True, max_length=20, help_text=LEVEL)


class GatewayCredentialSerializer(serializers.Serializer[Any]):
    """A short-lived token for the gateway."""

    token = serializers.CharField(help_text="Sent as `Authorization: Bearer`; a secret.")
    level = serializers.ChoiceField(choices=KUBECONFIG_LEVELS)
    expires_at = serializers.DateTimeField()
    expires_in = serializers.IntegerField(help_text="Seconds from now, for who does not trust their own clock.")


class GatewayKubeconfigSerializer(serializers.Serializer[Any]):
    """A kubeconfig without a secret: it has the `marina` command get tokens."""

    kubeconfig = serializers.CharField(help_text="YAML, for a file that kubectl reads.")
    level = serializers.ChoiceField(choices=KUBECONFIG_LEVELS, help_text="What it opens as things are now.")
    gateway_url = serializers.CharField(help_text="The cluster's stable address.")
    certificate_authority = serializers.CharField(help_text="PEM of the gateway's CA; empty where it is a public one.")


class OfOneCluster(GlassNoted):
    """Base of what belongs to one cluster of the address."""

    def cluster(self) -> VirtualCluster:
        """The cluster, if the person sees it. Raises NotFound."""
        found = virtual_clusters_list(self.user).filter(pk=self.kwargs["cluster"]).first()
        if found is None:
            raise NotFound(UNSEEN)
        self.looked_at = found
        self.cluster_reached(found.pk)
        return found

    @property
    def access_token(self) -> AccessToken | None:
        """The token that this request came with; None for a session."""
        return self.request.auth if isinstance(self.request.auth, AccessToken) else None


class GatewayResource(OfOneCluster):
    """The way for kubectl."""

    serializer_class = VirtualClusterSerializer
    secret_fields = ("token",)
    further_refusals = {"create": ("403", "409", "410"), "kubeconfig": ("400", "403", "409", "410")}

    def visible(self) -> QuerySet[VirtualCluster]:
        return virtual_clusters_list(self.user)

    @extend_schema(
        operation_id="virtual_clusters_gateway_credentials_create",
        request=GatewayCredentialRequest,
        responses={201: GatewayCredentialSerializer},
    )
    def create(self, request: Request, cluster: UUID) -> Response:
        """Gives a short-lived token for the gateway. `marina credential` asks for one whenever kubectl needs it."""
        body, now = self.body(GatewayCredentialRequest), timezone.now()
        made = gateway_credential_issue(
            virtual_cluster=self.cluster(), actor=self.actor, source=self.access_token, now=now, **body
        )
        answer = {
            "token": made.text,
            "level": made.token.level,
            "expires_at": made.token.expires_at,
            "expires_in": int((made.token.expires_at - now).total_seconds()),
        }
        return Response(GatewayCredentialSerializer(answer).data, status=HTTP_201_CREATED, headers=NO_STORE)

    @extend_schema(
        operation_id="virtual_clusters_kubeconfig_retrieve",
        parameters=[OpenApiParameter("level", OpenApiTypes.STR, description=LEVEL)],
        responses={200: GatewayKubeconfigSerializer},
    )
    def kubeconfig(self, request: Request, cluster: UUID) -> Response:
        """Gives a kubeconfig that goes through the gateway. It holds no secret: `marina` gets its tokens."""
        for name in request.query_params:
            if name != "level":
                raise InvalidInput("There is no such parameter here.", field=name[:80], accepted="level")
        found = self.cluster()
        level = request.query_params.get("level", "")
        shown = gateway_kubeconfig(virtual_cluster=found, actor=self.actor, level=level)
        answer = {
            "kubeconfig": shown.text,
            "level": shown.level,
            "gateway_url": gateway_url_of(found),
            "certificate_authority": gateway_ca_pem(),
        }
        return Response(GatewayKubeconfigSerializer(answer).data)
