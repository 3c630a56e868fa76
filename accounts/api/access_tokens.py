"""/access-tokens"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.authentication import PasswordAuthentication
from accounts.api.fields import ProjectField
from accounts.api.idempotency import idempotent
from accounts.api.references import UserReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import AccessToken
from accounts.selectors import access_tokens_of
from accounts.services.tokens import TokenMade, token_create, token_revoke, token_revoke_by_prefix


class AccessTokenSerializer(serializers.ModelSerializer[AccessToken]):
    """A token, without its text. Where `actions` or `projects` name some, it is limited to these."""

    actions = serializers.ListField(child=serializers.CharField(), read_only=True)
    projects = serializers.ListField(child=serializers.UUIDField(), read_only=True)
    created_by = UserReference(read_only=True, allow_null=True)

    class Meta:
        model = AccessToken
        fields = (
            "id",
            "name",
            "prefix",
            "actions",
            "projects",
            "created_by",
            "created_at",
            "expires_at",
            "last_used_at",
        )
        read_only_fields = fields


class AccessTokenMade(AccessTokenSerializer):
    """A new token, with its text: the only time that it is shown."""

    token = serializers.CharField(read_only=True)

    class Meta:
        model = AccessToken
        fields = (*AccessTokenSerializer.Meta.fields, "token")
        read_only_fields = fields


class AccessTokenCreate(StrictSerializer):
    """A new token."""

    name = serializers.CharField(max_length=100)
    expires_in = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=2**31,
        help_text="Seconds; 30 days where it is left out, or less where an organization allows no more.",
    )
    actions = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        max_length=200,
        help_text="It may do only these; all that its holder may where it is left out.",
    )
    projects = serializers.ListField(
        child=ProjectField(),
        required=False,
        max_length=200,
        help_text="Ids, or organization/name: it reaches only these; everywhere where it is left out.",
    )


class AccessTokenRevoke(StrictSerializer):
    """Which token is to end."""

    prefix = serializers.CharField(max_length=20, help_text="The eight letters after `mar_`, or mar_PREFIX.")


def token_made_answer(made: TokenMade, location: str) -> Response:
    """201 with the token's text, which no cache is to keep."""
    answer = {**AccessTokenSerializer(made.token).data, "token": made.text}
    headers = {"Location": f"{location}/{made.token.pk}", "Cache-Control": "no-store"}
    return Response(answer, status=HTTP_201_CREATED, headers=headers)


class AccessTokenResource(ListedResource[AccessToken]):
    """Your own access tokens."""

    serializer_class = AccessTokenSerializer
    search_fields = ("name", "prefix")
    ordering_fields = ("name", "created_at", "expires_at")
    secret_fields = ("token",)
    further_refusals = {"revoke": ("404",)}

    def visible(self) -> QuerySet[AccessToken]:
        return access_tokens_of(self.user).select_related("created_by")

    def get_authenticators(self) -> list[BaseAuthentication]:
        found = super().get_authenticators()
        # a password opens nothing but the making of a token
        posted = getattr(self, "request", None) is not None and self.request.method == "POST"
        making = posted and getattr(self, "action_map", {}).get("post") == "create"
        return [*found, PasswordAuthentication()] if making else found

    @extend_schema(request=AccessTokenCreate, responses={201: AccessTokenMade})
    def create(self, request: Request) -> Response:
        """Makes a token. Its text is shown once. May be asked for with handle and password (HTTP Basic)."""
        body = self.body(AccessTokenCreate)
        expires_in = body.pop("expires_in", None)
        made = token_create(actor=self.actor, user=self.user, expires_in=expires_in, now=timezone.now(), **body)
        return token_made_answer(made, request.path)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revokes a token at once."""
        token = self.get_object()
        self.no_body()
        token_revoke(actor=self.actor, token=token, now=timezone.now())
        return Response(status=204)

    @extend_schema(request=AccessTokenRevoke, responses={204: None})
    @action(detail=False, methods=["post"])
    @idempotent
    def revoke(self, request: Request) -> Response:
        """Ends whosever token has this prefix, as logs and audit rows name it. For platform staff."""
        prefix = str(self.body(AccessTokenRevoke)["prefix"])
        token_revoke_by_prefix(actor=self.actor, prefix=prefix.removeprefix("mar_")[:8], now=timezone.now())
        return Response(status=204)
