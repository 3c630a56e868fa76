"""/virtual-clusters/{id}/gateway-tokens: static tokens, for kubeconfigs of tools that run no other command."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import require
from accounts.api.idempotency import idempotent
from accounts.api.people import service_account_given
from accounts.api.references import ServiceAccountReference, UserReference
from accounts.api.resources import ListedResource, Resource
from accounts.api.strict import StrictSerializer
from accounts.models import ServiceAccount
from clusters.access import KUBECONFIG_LEVELS
from clusters.api.gateway_views import LEVEL, NO_STORE, OfOneCluster
from clusters.gateway_kubeconfig import static_kubeconfig
from clusters.models import GatewayToken, VirtualCluster
from clusters.selectors import gateway_tokens_list
from clusters.services.gateway_static_tokens import (
    OVERLAP_MAXIMUM_SECONDS,
    GatewayTokenMade,
    gateway_token_create,
    gateway_token_revoke,
    gateway_token_revoke_by_prefix,
    gateway_token_rotate,
)


class GatewayTokenSerializer(serializers.ModelSerializer[GatewayToken]):
    """A static token, without its text."""

    user = UserReference(read_only=True)
    service_account = ServiceAccountReference(
        source="user.service_account", read_only=True, allow_null=True, default=None
    )
    level = serializers.ChoiceField(choices=KUBECONFIG_LEVELS, read_only=True, help_text="At most.")
    created_by = UserReference(read_only=True, allow_null=True)
    made_with = serializers.SerializerMethodField()

    class Meta:
        model = GatewayToken
        fields = (
            "id",
            "name",
            "prefix",
            "user",
            "service_account",
            "level",
            "created_by",
            "made_with",
            "created_at",
            "expires_at",
            "last_used_at",
        )
        read_only_fields = fields

    def get_made_with(self, token: GatewayToken) -> str:
        """The prefix of the limited access token that it was made with and ends with; mostly empty."""
        return token.access_token.prefix if token.access_token else ""


class GatewayTokenMadeSerializer(GatewayTokenSerializer):
    """A new static token, with its text and a kubeconfig that holds it: the only time that these are shown."""

    token = serializers.CharField(read_only=True)
    kubeconfig = serializers.CharField(read_only=True, help_text="YAML, for a file that only its owner may read.")

    class Meta:
        model = GatewayToken
        fields = (*GatewayTokenSerializer.Meta.fields, "token", "kubeconfig")
        read_only_fields = fields


class GatewayTokenCreate(StrictSerializer):
    """A new static token."""

    name = serializers.CharField(max_length=100, required=False, help_text="What uses it, for whoever sees the list.")
    level = serializers.CharField(required=False, allow_blank=True, max_length=20, help_text=LEVEL)
    expires_in = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="Seconds; else 30 days, for a service account as long as the organization allows (mostly a year).",
    )
    service_account = serializers.CharField(
        required=False, max_length=130, help_text="Name, project/name, or id: it is this one's. Else it is yours."
    )


class GatewayTokenRotate(StrictSerializer):
    """A new one in its place."""

    expires_in = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31, help_text="Seconds; else as long as the old one was made for."
    )
    overlap = serializers.IntegerField(
        required=False, help_text=f"Seconds for which the old one still holds, 0 to {OVERLAP_MAXIMUM_SECONDS}; else 0."
    )


class GatewayTokenRevoke(StrictSerializer):
    """Which token is to end."""

    prefix = serializers.CharField(max_length=20, help_text="The eight letters after `mgs_`, or mgs_PREFIX.")


class GatewayTokenResource(OfOneCluster, ListedResource[GatewayToken]):
    """Static tokens of one virtual cluster: your own, those of service accounts you manage; for admins all."""

    serializer_class = GatewayTokenSerializer
    search_fields = ("name", "prefix", "user__handle")
    ordering_fields = ("created_at", "name", "expires_at")
    lookup_url_kwarg = "token"
    secret_fields = ("token", "kubeconfig")
    further_refusals = {"create": ("403", "409", "410"), "rotate": ("409", "410")}

    def visible(self) -> QuerySet[GatewayToken]:
        return gateway_tokens_list(self.user, self.cluster(), now=timezone.now())

    @extend_schema(operation_id="virtual_clusters_gateway_tokens_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The static tokens that hold, as far as you have to do with them."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="virtual_clusters_gateway_tokens_create",
        request=GatewayTokenCreate,
        responses={201: GatewayTokenMadeSerializer},
    )
    def create(self, request: Request, cluster: UUID) -> Response:
        """Makes a static token, for yourself or for a service account. It is shown once, also in a kubeconfig."""
        body, found = self.body(GatewayTokenCreate), self.cluster()
        account = self._account(body.pop("service_account", None), found)
        made = gateway_token_create(
            virtual_cluster=found,
            actor=self.actor,
            source=self.access_token,
            now=timezone.now(),
            service_account=account,
            **body,
        )
        return self._made(made, found, request.path)

    @extend_schema(
        operation_id="virtual_clusters_gateway_tokens_rotate",
        request=GatewayTokenRotate,
        responses={201: GatewayTokenMadeSerializer},
    )
    def rotate(self, request: Request, cluster: UUID, token: UUID) -> Response:
        """Makes a new token in the place of this one, which ends at once or after an overlap."""
        old, body = self.get_object(), self.body(GatewayTokenRotate)
        made = gateway_token_rotate(token=old, actor=self.actor, now=timezone.now(), **body)
        return self._made(made, self.cluster(), request.path.rsplit("/", 2)[0])

    @extend_schema(operation_id="virtual_clusters_gateway_tokens_destroy", request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revokes a static token at once. For its holder and the admins of the project."""
        found = self.get_object()
        self.no_body()
        gateway_token_revoke(token=found, actor=self.actor, now=timezone.now())
        return Response(status=204)

    def _account(self, text: str | None, cluster: VirtualCluster) -> ServiceAccount | None:
        if text is None:
            return None
        # before it can be probed which accounts there are
        require(self.user, "virtualcluster.kubeconfig.view", cluster)
        return service_account_given(cluster.project.organization, text, "service_account", project=cluster.project)

    def _made(self, made: GatewayTokenMade, cluster: VirtualCluster, location: str) -> Response:
        answer = {
            **GatewayTokenSerializer(made.token).data,
            "token": made.text,
            "kubeconfig": static_kubeconfig(cluster, token=made.text),
        }
        return Response(
            answer, status=HTTP_201_CREATED, headers={**NO_STORE, "Location": f"{location}/{made.token.pk}"}
        )


class GatewayTokenRevocation(Resource[GatewayToken]):
    """Ending tokens that leaked."""

    serializer_class = GatewayTokenSerializer
    further_refusals = {"create": ("403", "404")}

    def visible(self) -> QuerySet[GatewayToken]:
        return GatewayToken.objects.none()

    @extend_schema(operation_id="gateway_tokens_revoke", request=GatewayTokenRevoke, responses={204: None})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ends whosever static token has this prefix, as logs and audit rows name it. For platform staff."""
        prefix = str(self.body(GatewayTokenRevoke)["prefix"]).removeprefix("mgs_")[:8]
        gateway_token_revoke_by_prefix(prefix=prefix, actor=self.actor, now=timezone.now())
        return Response(status=204)
