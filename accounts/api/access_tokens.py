"""/access-tokens"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.authentication import PasswordAuthentication
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import AccessToken
from accounts.selectors import access_tokens_of
from accounts.services.tokens import token_create, token_revoke


class AccessTokenSerializer(serializers.ModelSerializer[AccessToken]):
    """A token, without its text."""

    class Meta:
        model = AccessToken
        fields = ("id", "name", "prefix", "created_at", "expires_at", "last_used_at")
        read_only_fields = fields


class AccessTokenMade(serializers.ModelSerializer[AccessToken]):
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
        required=False, min_value=0, max_value=2**31, help_text="Seconds; 30 days where it is left out."
    )


class AccessTokenResource(ListedResource[AccessToken]):
    """Your own access tokens."""

    serializer_class = AccessTokenSerializer
    search_fields = ("name", "prefix")
    ordering_fields = ("name", "created_at", "expires_at")
    secret_fields = ("token",)

    def visible(self) -> QuerySet[AccessToken]:
        return access_tokens_of(self.user)

    def get_authenticators(self) -> list[BaseAuthentication]:
        found = super().get_authenticators()
        # a password opens nothing but the making of a token
        making = getattr(self, "request", None) is not None and self.request.method == "POST"
        return [*found, PasswordAuthentication()] if making else found

    @extend_schema(request=AccessTokenCreate, responses={201: AccessTokenMade})
    def create(self, request: Request) -> Response:
        """Makes a token. Its text is shown once. May be asked for with handle and password (HTTP Basic)."""
        body = self.body(AccessTokenCreate)
        made = token_create(
            actor=self.actor,
            user=self.user,
            name=body["name"],
            expires_in=body.get("expires_in"),
            now=timezone.now(),
        )
        answer = {**AccessTokenSerializer(made.token).data, "token": made.text}
        headers = {"Location": f"{request.path}/{made.token.pk}", "Cache-Control": "no-store"}
        return Response(answer, status=HTTP_201_CREATED, headers=headers)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revokes a token at once."""
        token = self.get_object()
        self.no_body()
        token_revoke(actor=self.actor, token=token, now=timezone.now())
        return Response(status=204)
