"""/second-factor: an app for codes, and recovery codes for the day it is lost.

A token or session alone changes nothing of it. With a token: the password (of who has one) and, once there is a second
factor, a code of it; who has neither does it in the browser. Limited tokens and service accounts: not at all.
"""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED
from rest_framework.viewsets import ViewSet

from accounts.access import staff_require
from accounts.adapters import SecondFactorAdapter
from accounts.api.actor import actor_of, user_of
from accounts.api.dry_run import DryRun
from accounts.api.parsing import BoundedJSONParser
from accounts.api.proofs import CodeProof, PasswordProof, Prover
from accounts.api.schema import MarinaSchema
from accounts.api.strict import NoBody, StrictSerializer
from accounts.errors import Conflict, NotFound
from accounts.models import User
from accounts.services.audit import Actor
from accounts.services.second_factor_enrolment import enrolment_begin, enrolment_open
from accounts.services.second_factors import (
    recovery_codes_renew,
    second_factor_may_begin,
    second_factor_remove,
    second_factor_required,
    second_factor_reset,
    second_factor_set_up,
    second_factor_state,
)


class SecondFactor(serializers.Serializer[Any]):
    """What you have."""

    enabled = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="When a code was last taken.")
    recovery_codes_left = serializers.IntegerField()
    wanted = serializers.BooleanField(help_text="Of you the installation wants one.")


class SecondFactorBegun(serializers.Serializer[Any]):
    """A seed for your app. Nothing is kept of it before you confirm."""

    secret = serializers.CharField(help_text="To type into an app, in base32.")
    otpauth_uri = serializers.CharField(help_text="The same as apps read it from a QR code.")
    enrolment = serializers.CharField(help_text="Send it back to confirm.")
    expires_at = serializers.DateTimeField(help_text="Until then it can be confirmed.")


class SecondFactorConfirm(PasswordProof):
    """The first code of the new app."""

    enrolment = serializers.CharField(max_length=2000, help_text="What `begin` gave you.")
    code = serializers.CharField(max_length=20, help_text="The six digits that the app shows now.")


class RecoveryCodes(serializers.Serializer[Any]):
    """Each stands in once for a code of the app. They are shown this once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class SecondFactorReset(PasswordProof):
    """Whose is to be taken away."""

    user = serializers.CharField(max_length=40, help_text="The handle.")
    code = serializers.CharField(
        required=False, max_length=20, help_text="Of your own second factor, where you have one."
    )


class SecondFactorResource(DryRun, ViewSet):
    """Your own second factor, and the reset of one that somebody else lost."""

    schema = MarinaSchema()
    metadata_class = None
    parser_classes = (BoundedJSONParser,)
    secret_fields: ClassVar[tuple[str, ...]] = ("secret", "otpauth_uri", "enrolment", "recovery_codes")
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {
        "state": ("403",),
        "reset": ("404",),
    }

    @extend_schema(operation_id="second_factor", responses=SecondFactor)
    def state(self, request: Request) -> Response:
        """Whether there is one, since when, and how many recovery codes are left."""
        found = second_factor_state(user_of(request))
        return Response(SecondFactor({**vars(found), "enabled": found.since is not None}).data)

    @extend_schema(operation_id="second_factor_begin", request=None, responses=SecondFactorBegun)
    def begin(self, request: Request) -> Response:
        """Makes a seed for your app. It is a second factor only once you confirmed it with a code."""
        self._body(NoBody)
        user = user_of(request)
        begun = enrolment_begin(user=user, now=timezone.now())
        answer = {
            "secret": begun.secret,
            "otpauth_uri": SecondFactorAdapter().build_totp_url(user, begun.secret),
            "enrolment": begun.sealed,
            "expires_at": begun.ends,
        }
        return _unkept(SecondFactorBegun(answer).data)

    @extend_schema(operation_id="second_factor_confirm", request=SecondFactorConfirm, responses={201: RecoveryCodes})
    def confirm(self, request: Request) -> Response:
        """Makes the app your second factor, and gives you recovery codes. Takes your password, where you have one."""
        body, user, now = self._body(SecondFactorConfirm), user_of(request), timezone.now()
        second_factor_may_begin(user)
        prover = Prover(self, request, body)
        prover.password_or_session()
        secret = enrolment_open(user=user, sealed=body["enrolment"], now=now)
        prover.code_counted()
        codes = second_factor_set_up(actor=self._actor, user=user, secret=secret, code=body["code"], now=now)
        return _unkept({"recovery_codes": codes}, status=HTTP_201_CREATED)

    @extend_schema(operation_id="second_factor_recovery_codes", request=CodeProof, responses={201: RecoveryCodes})
    def recovery_codes(self, request: Request) -> Response:
        """Gives you new recovery codes in place of the old. Takes a code, and with a token your password."""
        self._proved(request, "renew recovery codes")
        codes = recovery_codes_renew(actor=self._actor, user=user_of(request), now=timezone.now())
        return _unkept({"recovery_codes": codes}, status=HTTP_201_CREATED)

    @extend_schema(operation_id="second_factor_turn_off", request=CodeProof, responses={204: None})
    def turn_off(self, request: Request) -> Response:
        """Takes your second factor and its recovery codes away. Takes a code, and with a token your password."""
        self._proved(request, "remove a second factor")
        second_factor_remove(actor=self._actor, user=user_of(request), now=timezone.now())
        return Response(status=204)

    def _proved(self, request: Request, what: str) -> None:
        body = self._body(CodeProof)
        second_factor_required(user_of(request), what)
        prover = Prover(self, request, body)
        if prover.by_token:
            prover.password()
        prover.code()

    @extend_schema(operation_id="second_factor_reset", request=SecondFactorReset, responses={204: None})
    def reset(self, request: Request) -> Response:
        """Takes away the second factor of somebody who lost app and codes; they are told. For platform staff.

        It takes the staff's own password and code, where they have these.
        """
        body = self._body(SecondFactorReset)
        staff_require(self._actor, "reset the second factor of others")
        Prover(self, request, body).staff()
        user = User.objects.filter(handle=body["user"], is_service_account=False).first()
        if user is None:
            raise NotFound(f"There is no user {body['user']}.")
        if not second_factor_reset(actor=self._actor, user=user, now=timezone.now()):
            raise Conflict(f"{user.handle} has no second factor.")
        return Response(status=204)

    @property
    def _actor(self) -> Actor:
        return actor_of(self.request)

    def _body(self, serializer: type[StrictSerializer]) -> dict[str, Any]:
        read = serializer(data=self.request.data)
        read.is_valid(raise_exception=True)
        found: dict[str, Any] = read.validated_data
        return found


def _unkept(answer: Any, *, status: int = 200) -> Response:
    """With secrets, which no cache is to keep."""
    return Response(answer, status=status, headers={"Cache-Control": "no-store"})
