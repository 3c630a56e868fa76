"""/federated-tokens"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.api.access_tokens import AccessTokenMade, AccessTokenSerializer
from accounts.api.actor import address_of, request_id_of, sender_of
from accounts.api.dry_run import DryRun
from accounts.api.parsing import BoundedJSONParser
from accounts.api.schema import MarinaSchema
from accounts.api.strict import StrictSerializer
from accounts.services.audit import Actor
from accounts.services.audit_refusals import federation_refused
from accounts.services.federation import ASSERTION_CHARACTERS, FederationRefused, federated_token_exchange
from accounts.sign_in import federation_count, federation_refusal_counts


class FederatedTokenCreate(StrictSerializer):
    """Another issuer's token, and as which service account it is to let in."""

    token = serializers.CharField(max_length=ASSERTION_CHARACTERS, help_text="The issuer's token (JWT).")
    service_account = serializers.CharField(max_length=130, help_text="Id, or organization/project/name.")


class FederatedTokens(DryRun):
    """Tokens for CI, without a secret kept there."""

    schema = MarinaSchema()
    metadata_class = None
    parser_classes = (BoundedJSONParser,)
    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes = (AllowAny,)
    further_refusals: ClassVar[dict[str, tuple[str, ...]]] = {"": ("503",)}
    secret_fields = ("token",)

    @extend_schema(
        operation_id="federated_tokens_create", request=FederatedTokenCreate, responses={201: AccessTokenMade}
    )
    def post(self, request: Request) -> Response:
        """Exchanges a CI system's own token for a short one of a service account. Its text is shown once."""
        address = address_of(request)
        if wait := federation_count(address=address):
            raise Throttled(wait)
        read = FederatedTokenCreate(data=request.data)
        read.is_valid(raise_exception=True)
        body: dict[str, Any] = read.validated_data
        try:
            made = federated_token_exchange(
                assertion=body["token"],
                service_account=body["service_account"],
                now=timezone.now(),
                address=address,
                request_id=request_id_of(request),
            )
        except FederationRefused as refused:
            self.keep(partial(_refusal_note, sender_of(request), refused))
            raise
        answer = {**AccessTokenSerializer(made.token).data, "token": made.text}
        return Response(answer, status=HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


def _refusal_note(sender: Actor, refused: FederationRefused) -> None:
    account = str(refused.account.pk) if refused.account else ""
    # nobody fills the audit log by sending nonsense
    if federation_refusal_counts(account=account, why=refused.message, address=sender.address):
        federation_refused(sender=sender, account=refused.account, why=refused.message, told=refused.told)
