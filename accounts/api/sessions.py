"""/sessions: where you are signed in with a browser, and the end of it."""

from typing import Any

from allauth.usersessions.models import UserSession
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.idempotency import idempotent
from accounts.api.resources import ListedResource
from accounts.browser_words import browser_words
from accounts.models import AccessToken
from accounts.selectors_sessions import sessions_of
from accounts.services.own_account import session_revoke, sessions_revoke_others


class SessionSerializer(serializers.ModelSerializer[UserSession]):
    """A session of a browser. Access tokens are none: see /access-tokens."""

    id = serializers.CharField(read_only=True)
    browser = serializers.SerializerMethodField()
    address = serializers.CharField(source="ip", read_only=True, help_text="Where it was last used from.")
    last_used_at = serializers.DateTimeField(source="last_seen_at", read_only=True, help_text="To the minute.")
    current = serializers.SerializerMethodField()

    class Meta:
        model = UserSession
        fields = ("id", "browser", "user_agent", "address", "created_at", "last_used_at", "current")
        read_only_fields = fields

    def get_browser(self, row: UserSession) -> str:
        """Browser and system, as far as they can be told: "Firefox on Linux"."""
        return browser_words(row.user_agent)

    def get_current(self, row: UserSession) -> bool:
        """Whether this request came with it. One with an access token came with none."""
        return bool(row.session_key == session_key_of(self.context["request"]))


class SessionsRevoked(serializers.Serializer[Any]):
    """How many were ended."""

    revoked = serializers.IntegerField()


def session_key_of(request: Request) -> str | None:
    """Of the session by which somebody asks; None where it was an access token."""
    return None if isinstance(request.auth, AccessToken) else request.session.session_key


class SessionResource(ListedResource[UserSession]):
    """Your own sessions."""

    serializer_class = SessionSerializer
    lookup_value_converter = "str"
    further_refusals = {"list": ("403",), "retrieve": ("403",)}

    def visible(self) -> QuerySet[UserSession]:
        return sessions_of(self.user)

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ends a session at once; where it is your own, you are signed out."""
        row = self.get_object()
        self.no_body()
        session_revoke(actor=self.actor, user=self.user, key=row.pk)
        return Response(status=204)

    @extend_schema(request=None, responses=SessionsRevoked, filters=False)
    @action(detail=False, methods=["post"], url_path="revoke-others", filter_backends=[], pagination_class=None)
    @idempotent
    def revoke_others(self, request: Request) -> Response:
        """Ends all your sessions but the one by which you ask. Asked with an access token, that is all of them."""
        self.no_body()
        kept = session_key_of(request)
        return Response({"revoked": sessions_revoke_others(actor=self.actor, user=self.user, kept=kept)})
