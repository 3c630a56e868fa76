"""/device-logins: how `marina login` gets a token through a browser (RFC 8628's shape)."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.access_tokens import AccessTokenMade, AccessTokenSerializer
from accounts.api.actor import address_of, request_id_of
from accounts.api.dry_run import PLACEHOLDER, DryRun, dry_run_asked
from accounts.api.parsing import BoundedJSONParser
from accounts.api.schema import MarinaSchema
from accounts.api.strict import StrictSerializer
from accounts.services.device_logins import INTERVAL_SECONDS, device_login_begin, device_login_token
from accounts.sign_in import device_count


class DeviceLoginCreate(StrictSerializer):
    """A program that wants to act for a person."""

    client_name = serializers.CharField(max_length=100, help_text="What the person is shown, and the token's name.")
    expires_in = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31, help_text="Seconds the token is to hold; else the default."
    )


class DeviceLoginMade(serializers.Serializer[Any]):
    """Where the person goes and what they type there."""

    device_code = serializers.CharField(help_text="Secret: only for asking for the token.")
    user_code = serializers.CharField()
    verification_uri = serializers.URLField()
    verification_uri_complete = serializers.URLField(help_text="The same with the code filled in.")
    expires_in = serializers.IntegerField(help_text="Seconds until nobody can allow it any more.")
    interval = serializers.IntegerField(help_text="Seconds between two polls, at least.")


class DeviceToken(StrictSerializer):
    """A poll."""

    device_code = serializers.CharField(max_length=200)


class _Unauthenticated(DryRun):
    """For programs that are nobody yet."""

    schema = MarinaSchema()
    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (BoundedJSONParser,)

    def read(self, request: Request, serializer: type[StrictSerializer]) -> dict[str, Any]:
        """The body, strictly."""
        body = serializer(data=request.data)
        body.is_valid(raise_exception=True)
        found: dict[str, Any] = body.validated_data
        return found


class DeviceLoginResource(_Unauthenticated):
    """Requests to log in."""

    secret_fields = ("device_code", "user_code")

    @extend_schema(operation_id="device_logins_create", request=DeviceLoginCreate, responses={201: DeviceLoginMade})
    def post(self, request: Request) -> Response:
        """Begins a login that a person allows in the browser. Needs no token."""
        if wait := device_count(address=address_of(request)):
            raise Throttled(wait)
        body = self.read(request, DeviceLoginCreate)
        begun = device_login_begin(
            client_name=body["client_name"],
            address=address_of(request),
            expires_in=body.get("expires_in"),
            now=timezone.now(),
        )
        address = settings.PUBLIC_URL.rstrip("/") + reverse("device")
        shown = PLACEHOLDER if dry_run_asked(request) else begun.user_code  # within what has to stay an address
        answer = {
            "device_code": begun.device_code,
            "user_code": begun.user_code,
            "verification_uri": address,
            "verification_uri_complete": f"{address}?code={shown}",
            "expires_in": settings.DEVICE_LOGIN_SECONDS,
            "interval": INTERVAL_SECONDS,
        }
        return Response(answer, status=HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class DeviceTokenResource(_Unauthenticated):
    """The token of an allowed login."""

    secret_fields = ("token",)

    @extend_schema(operation_id="device_logins_token", request=DeviceToken, responses={201: AccessTokenMade})
    def post(self, request: Request) -> Response:
        """Gives the token once, after a person allowed the login. Needs no token.

        Until then 400 with the code `authorization_pending`, or `slow_down` for who asks more often than `interval`
        (which grows by 5 s each time); after that `denied` or `expired`.
        """
        body = self.read(request, DeviceToken)
        made = device_login_token(
            device_code=body["device_code"],
            address=address_of(request),
            request_id=request_id_of(request),
            now=timezone.now(),
        )
        answer = {**AccessTokenSerializer(made.token).data, "token": made.text}
        return Response(answer, status=HTTP_201_CREATED, headers={"Cache-Control": "no-store"})
