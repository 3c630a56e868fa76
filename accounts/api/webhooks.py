"""/webhooks and /webhooks/{id}/deliveries"""

from typing import Any, ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_201_CREATED

from accounts.access import UNSEEN
from accounts.api.fields import OrganizationField, ProjectField
from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, ProjectReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from accounts.errors import NotFound
from accounts.models import Webhook, WebhookDelivery
from accounts.selectors_notices import webhook_deliveries_visible_to, webhooks_visible_to
from accounts.services.webhooks import (
    WebhookMade,
    webhook_create,
    webhook_delete,
    webhook_ping,
    webhook_redeliver,
    webhook_secret_rotate,
    webhook_update,
)

EVENTS_HELP = "Event types, groups like operation.*, or * (docs/webhooks.md lists them)."


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """A webhook, without its secret."""

    organization = OrganizationReference(read_only=True)
    project = ProjectReference(read_only=True, allow_null=True)
    events = serializers.ListField(child=serializers.CharField(), read_only=True, help_text=EVENTS_HELP)

    class Meta:
        model = Webhook
        fields = (
            "id",
            "organization",
            "project",
            "url",
            "description",
            "events",
            "enabled",
            "disabled_reason",
            "failing_since",
            "previous_until",
            "created_at",
        )
        read_only_fields = fields
        extra_kwargs = {
            "previous_until": {"help_text": "Until then the secret before the newest rotation signs as well."}
        }


class WebhookMadeSerializer(WebhookSerializer):
    """A webhook with a new secret: the only time that it is shown."""

    secret = serializers.CharField(read_only=True, help_text="whsec_..., for your library of Standard Webhooks.")

    class Meta(WebhookSerializer.Meta):
        fields = read_only_fields = (*WebhookSerializer.Meta.fields, "secret")  # type: ignore[assignment]


class WebhookUpdate(StrictSerializer):
    """What can be changed of a webhook."""

    url = serializers.CharField(max_length=2000, help_text="An https address without name and password.")
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    events = serializers.ListField(child=serializers.CharField(max_length=80), max_length=100, help_text=EVENTS_HELP)
    enabled = serializers.BooleanField(required=False)


class WebhookCreate(StrictSerializer):
    """A new webhook. Exactly one of `organization` and `project`."""

    organization = OrganizationField(required=False, help_text="Id or name: it is told of all in it.")
    project = ProjectField(required=False, help_text="Id, or organization/name: it is told of this project only.")
    url = serializers.CharField(max_length=2000, help_text="An https address without name and password.")
    description = serializers.CharField(max_length=200, allow_blank=True, required=False)
    events = serializers.ListField(child=serializers.CharField(max_length=80), max_length=100, help_text=EVENTS_HELP)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("organization" in attrs) == ("project" in attrs):
            sentence = "Exactly one of `organization` and `project` is needed."
            raise serializers.ValidationError({"organization": sentence})
        return attrs


class WebhookFilters(django_filters.FilterSet):
    """Of /webhooks."""

    organization = ReferenceFilter(by_name="organization__name")
    project = ProjectFilter()

    class Meta:
        model = Webhook
        fields = ("organization", "project", "enabled")


class WebhookDeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One event for one webhook, and what came of the newest attempt."""

    payload = serializers.JSONField(read_only=True, help_text="What is sent.")

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "event_id",
            "type",
            "state",
            "attempts",
            "status",
            "error",
            "answer",
            "next_attempt_at",
            "attempted_at",
            "delivered_at",
            "payload",
            "created_at",
        )
        read_only_fields = fields
        extra_kwargs = {"event_id": {"help_text": "As it is sent in `webhook-id`; the same at each attempt."}}


class WebhookDeliveryFilters(django_filters.FilterSet):
    """Of /webhooks/{id}/deliveries."""

    class Meta:
        model = WebhookDelivery
        fields = ("state", "type", "event_id")


class WebhookResource(ListedResource[Webhook]):
    """Webhooks of organizations and projects that you may change."""

    serializer_class = WebhookSerializer
    filterset_class = WebhookFilters
    search_fields = ("description",)
    ordering_fields = ("created_at",)
    secret_fields = ("secret",)

    def visible(self) -> QuerySet[Webhook]:
        return webhooks_visible_to(self.user)

    @extend_schema(request=WebhookCreate, responses={201: WebhookMadeSerializer})
    def create(self, request: Request) -> Response:
        """Makes a webhook. Its secret is shown once."""
        body = self.body(WebhookCreate)
        project = body.pop("project", None)
        organization = body.pop("organization", None) or project.organization
        made = webhook_create(actor=self.actor, organization=organization, project=project, **body)
        return self._with_secret(made, status=HTTP_201_CREATED, Location=f"{request.path}/{made.webhook.pk}")

    @extend_schema(request=WebhookUpdate, responses=WebhookSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes a webhook, or switches it off and on."""
        webhook, body = self.get_object(), self.body(WebhookUpdate)
        return Response(self.shown(webhook_update(actor=self.actor, webhook=webhook, **body)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deletes a webhook with its deliveries."""
        webhook = self.get_object()
        self.no_body()
        webhook_delete(actor=self.actor, webhook=webhook)
        return Response(status=204)

    @extend_schema(request=None, responses={201: WebhookDeliverySerializer})
    @action(detail=True, methods=["post"])
    @idempotent
    def ping(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sends a webhook an event that says nothing, to try it. Look at the delivery for what came of it."""
        webhook = self.get_object()
        self.no_body()
        made = webhook_ping(actor=self.actor, webhook=webhook, now=timezone.now())
        location = f"{request.path.removesuffix('/ping')}/deliveries/{made.pk}"
        return Response(WebhookDeliverySerializer(made).data, status=HTTP_201_CREATED, headers={"Location": location})

    @extend_schema(request=None, responses=WebhookMadeSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Gives a webhook a new secret, shown once. The one before signs as well for 24 hours."""
        webhook = self.get_object()
        self.no_body()
        return self._with_secret(webhook_secret_rotate(actor=self.actor, webhook=webhook, now=timezone.now()))

    def _with_secret(self, made: WebhookMade, *, status: int = 200, **headers: str) -> Response:
        answer = {**self.shown(made.webhook), "secret": made.secret}
        return Response(answer, status=status, headers={"Cache-Control": "no-store", **headers})


class WebhookDeliveryResource(ListedResource[WebhookDelivery]):
    """What a webhook was told, newest first; kept for 30 days unless set otherwise."""

    serializer_class = WebhookDeliverySerializer
    filterset_class = WebhookDeliveryFilters
    ordering_fields: ClassVar[tuple[str, ...]] = ("created_at",)

    def visible(self) -> QuerySet[WebhookDelivery]:
        webhook: UUID = self.kwargs["webhook"]
        if not webhooks_visible_to(self.user).filter(pk=webhook).exists():
            raise NotFound(UNSEEN)
        return webhook_deliveries_visible_to(self.user, webhook)

    @extend_schema(request=None, responses=WebhookDeliverySerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def redeliver(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sends an event to its webhook once more, under the same id."""
        delivery = self.get_object()
        self.no_body()
        return Response(self.shown(webhook_redeliver(actor=self.actor, delivery=delivery, now=timezone.now())))
