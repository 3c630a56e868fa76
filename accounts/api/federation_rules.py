"""/federation-rules"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import user_of
from accounts.api.fields import NameField, ReferenceField
from accounts.api.filters import FederationRuleFilters
from accounts.api.idempotency import idempotent
from accounts.api.references import ServiceAccountReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.models import FederationRule, ServiceAccount
from accounts.selectors import federation_rules_visible_to, service_account_written, service_accounts_visible_to
from accounts.services.federation_rules import (
    federation_rule_create,
    federation_rule_delete,
    federation_rule_update,
)


class FederationRuleSerializer(serializers.ModelSerializer[FederationRule]):
    """Whose tokens a service account is let in with. None of it is secret."""

    service_account = ServiceAccountReference(read_only=True)
    claims = serializers.DictField(read_only=True)

    class Meta:
        model = FederationRule
        fields = ("id", "name", "service_account", "issuer", "audience", "claims", "created_at")
        read_only_fields = fields


@extend_schema_field(OpenApiTypes.STR)
class ServiceAccountField(ReferenceField):
    """A service account by id or as `organization/project/name`. Needs `request` in the context."""

    noun = "service account"
    accepted = "a service account's id, or organization/project/name"

    def find(self, text: str) -> ServiceAccount | None:
        return service_account_written(text, among=service_accounts_visible_to(user_of(self.context["request"])))


class FederationRuleUpdate(StrictSerializer):
    """What can be changed of a rule; tokens given by it before end at once."""

    issuer = serializers.CharField(max_length=300, help_text="As the tokens name it in `iss`: https://...")
    audience = serializers.CharField(max_length=300, help_text="As the tokens name it in `aud`.")
    claims = serializers.DictField(
        help_text="What claims must be: text in which * stands for anything, a number, true or false, or a list of "
        "these of which one must fit. All must fit, and at least one has to tell whose token it is."
    )


class FederationRuleCreate(FederationRuleUpdate):
    """A new rule."""

    service_account = ServiceAccountField(help_text="Id, or organization/project/name.")
    name = NameField()


class FederationRuleResource(ListedResource[FederationRule]):
    """Which tokens of other issuers let in as which service account, in the projects that you see."""

    serializer_class = FederationRuleSerializer
    filterset_class = FederationRuleFilters
    search_fields = ("name", "issuer")
    ordering_fields = ("name", "created_at")

    def visible(self) -> QuerySet[FederationRule]:
        return federation_rules_visible_to(self.user)

    @extend_schema(request=FederationRuleCreate, responses={201: FederationRuleSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Makes a rule. For who manages the service account."""
        body = self.body(FederationRuleCreate)
        account = body.pop("service_account")
        return self.created(federation_rule_create(actor=self.actor, account=account, **body))

    @extend_schema(request=FederationRuleUpdate, responses=FederationRuleSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes a rule. Tokens that were given by it end at once."""
        rule, body = self.get_object(), self.body(FederationRuleUpdate)
        if body:
            rule = federation_rule_update(actor=self.actor, rule=rule, now=timezone.now(), **body)
        return Response(self.shown(rule))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes a rule. Tokens that were given by it end at once."""
        rule = self.get_object()
        self.no_body()
        federation_rule_delete(actor=self.actor, rule=rule, now=timezone.now())
        return Response(status=204)
