"""/lifecycle-policies"""

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
from clusters.models import LifecyclePolicy
from clusters.selectors_lifecycle import lifecycle_policies_list
from clusters.services.lifecycle_policies import (
    lifecycle_policy_create,
    lifecycle_policy_delete,
    lifecycle_policy_update,
)


class LifecyclePolicySerializer(serializers.ModelSerializer[LifecyclePolicy]):
    """What one scope says of sleep and cleanup; null says nothing, and then the wider scope counts."""

    organization = OrganizationReference(read_only=True, allow_null=True)
    project = ProjectReference(read_only=True, allow_null=True)
    virtual_cluster = ClusterReference(read_only=True, allow_null=True)
    warn_before = serializers.ListField(child=serializers.IntegerField(), read_only=True, allow_null=True)

    class Meta:
        model = LifecyclePolicy
        fields = (
            *("id", "organization", "project", "virtual_cluster", "sleep_after", "delete_after", "warn_before"),
            *("never_sleep", "never_delete", "extension_maximum", "created_at", "changed_at"),
        )
        read_only_fields = fields


class LifecyclePolicyChange(StrictSerializer):
    """What it says. Null says nothing."""

    sleep_after = serializers.IntegerField(
        required=False, allow_null=True, help_text="Seconds without use after which it is put to sleep."
    )
    delete_after = serializers.IntegerField(
        required=False, allow_null=True, help_text="Seconds without use after which it is deleted; asleep is unused."
    )
    warn_before = serializers.ListField(
        child=serializers.IntegerField(),
        max_length=10,
        required=False,
        allow_null=True,
        help_text="Seconds before a deletion at which its owner is warned; two or more.",
    )
    never_sleep = serializers.BooleanField(required=False, allow_null=True)
    never_delete = serializers.BooleanField(
        required=False, allow_null=True, help_text="Its lifetime ends all the same, where it has one."
    )
    extension_maximum = serializers.IntegerField(
        required=False, allow_null=True, help_text="Seconds. For organizations and projects."
    )


class LifecyclePolicyCreate(OfAnyScope, LifecyclePolicyChange):
    """Whose policy, and what it says."""


class LifecyclePolicyFilter(filters.FilterSet):
    """By what it is of."""

    organization = ReferenceFilter(by_name="organization__name", help_text="Id or name.")
    project = ProjectFilter(help_text="Id, organization/name, or a name alone.")
    virtual_cluster = filters.UUIDFilter(field_name="virtual_cluster")

    class Meta:
        model = LifecyclePolicy
        fields: ClassVar[list[str]] = []


class LifecyclePolicyViewSet(GlassNoted, ListedResource[LifecyclePolicy]):
    """When unused clusters sleep and are deleted: platform defaults < organization < project < cluster."""

    serializer_class = LifecyclePolicySerializer
    filterset_class = LifecyclePolicyFilter

    def visible(self) -> QuerySet[LifecyclePolicy]:
        return lifecycle_policies_list(self.user)

    @extend_schema(request=LifecyclePolicyCreate, responses={201: LifecyclePolicySerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Gives an organization, a project or a cluster a policy."""
        body = self.body(LifecyclePolicyCreate)
        scope = body.pop("scope")
        return self.created(lifecycle_policy_create(scope=scope, actor=self.actor, says=body))

    @extend_schema(request=LifecyclePolicyChange, responses={200: LifecyclePolicySerializer})
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes what is sent; null takes it back."""
        policy = self.get_object()
        says = self.body(LifecyclePolicyChange)
        return Response(self.shown(lifecycle_policy_update(policy=policy, actor=self.actor, says=says)))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Takes the policy away; the wider scope counts from then on."""
        policy = self.get_object()
        self.no_body()
        lifecycle_policy_delete(policy=policy, actor=self.actor)
        return Response(status=204)
