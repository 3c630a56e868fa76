"""/upgrade-policies"""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.filters import ProjectFilter, ReferenceFilter
from accounts.api.idempotency import idempotent
from accounts.api.references import OrganizationReference, ProjectReference
from accounts.api.resources import ListedResource
from accounts.api.strict import StrictSerializer
from clusters.api.glass_noting import GlassNoted
from clusters.api.scoped import ClusterReference, OfAnyScope
from clusters.models import UpgradeChannel, UpgradePolicy
from clusters.selectors_lifecycle import upgrade_policies_list
from clusters.services.upgrade_policies import (
    upgrade_policy_create,
    upgrade_policy_delete,
    upgrade_policy_update,
)


class UpgradePolicySerializer(serializers.ModelSerializer[UpgradePolicy]):
    """What one scope says of upgrades by Marina itself; what is empty says nothing, and then the wider scope counts."""

    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    virtual_cluster = ClusterReference(read_only=True, allow_null=True)

    class Meta:
        model = UpgradePolicy
        fields = (
            *("id", "organization", "project", "virtual_cluster", "channel", "window_cron", "window_seconds"),
            *("time_zone", "created_at", "changed_at"),
        )
        read_only_fields = fields


class UpgradePolicyChange(StrictSerializer):
    """What it says."""

    channel = serializers.ChoiceField(
        choices=UpgradeChannel.choices,
        required=False,
        allow_blank=True,
        help_text="none, patch, or minor, which takes patches too. Empty says nothing.",
    )
    window_cron = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=100,
        help_text="When a maintenance window begins: five fields, such as 0 2 * * SUN. Empty says nothing.",
    )
    window_seconds = serializers.IntegerField(required=False, allow_null=True, help_text="How long it lasts.")
    time_zone = serializers.CharField(required=False, max_length=60, help_text="Such as Europe/Berlin; UTC else.")


class UpgradePolicyCreate(OfAnyScope, UpgradePolicyChange):
    """Whose policy, and what it says."""


class UpgradePolicyFilter(filters.FilterSet):
    """By what it is of."""

    organization = ReferenceFilter(by_name="organization__name", help_text="Id or name.")
    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster")

    class Meta:
        model = UpgradePolicy
        fields: ClassVar[list[str]] = []


class UpgradePolicyViewSet(GlassNoted, ListedResource[UpgradePolicy]):
    """Which upgrades Marina does by itself, and in which maintenance window: organization < project < cluster."""

    serializer_class = UpgradePolicySerializer
    filterset_class = UpgradePolicyFilter

    def visible(self) -> QuerySet[UpgradePolicy]:
        return upgrade_policies_list(self.user)

    @extend_schema(request=UpgradePolicyCreate, responses={201: UpgradePolicySerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Says for an organization, a project or a cluster what Marina upgrades by itself, and when."""
        body = self.body(UpgradePolicyCreate)
        scope = body.pop("scope")
        return self.created(upgrade_policy_create(scope=scope, actor=self.actor, says=body))

    @extend_schema(request=UpgradePolicyChange, responses={200: UpgradePolicySerializer})
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes what is said of upgrades; what is empty is taken back."""
        policy = self.get_object()
        says = self.body(UpgradePolicyChange)
        return Response(self.shown(upgrade_policy_update(policy=policy, actor=self.actor, says=says)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes back what is said of upgrades; the wider scope counts from then on."""
        policy = self.get_object()
        self.no_body()
        upgrade_policy_delete(policy=policy, actor=self.actor)
        return Response(status=204)
