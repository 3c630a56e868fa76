"""Filters of /audit-events."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from accounts.api.actor import user_of
from accounts.api.moments import MomentFilter
from accounts.audit_reading import organization_seen
from accounts.models import AuditEvent
from accounts.selectors import uuid_of

_RESULTS = ("ok", "denied", "failed")


class AuditEventFilters(django_filters.FilterSet):
    """Exact values, and a span of time."""

    organization = django_filters.CharFilter(method="of_organization", label="Id or name.")
    actor = django_filters.CharFilter(method="by_actor", label="Handle or id of who acted, or the part of Marina.")
    action = django_filters.CharFilter(method="of_action", label="An action, or several by a beginning: `project.*`.")
    object_kind = django_filters.CharFilter(label="For example `virtual-cluster`.")
    object_id = django_filters.CharFilter(label="The object's id.")
    result = django_filters.ChoiceFilter(choices=[(each, each) for each in _RESULTS], label="How it ended.")
    source = django_filters.CharFilter(label="The interface: api, cli, web, admin, marina.")
    token_prefix = django_filters.CharFilter(label="Of the access token that was used.")
    request_id = django_filters.CharFilter(label="The request's id, as answers and logs have it.")
    since = MomentFilter(field_name="created_at", lookup_expr="gte", label="From this time on.")
    until = MomentFilter(field_name="created_at", lookup_expr="lt", label="Before this time.")

    class Meta:
        model = AuditEvent
        fields = ("object_kind", "object_id", "source", "token_prefix", "request_id")

    def of_organization(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> QuerySet[AuditEvent]:
        """None of what the asker does not see; the view has refused that before."""
        found = organization_seen(user_of(self.request), value) if self.request else None
        return queryset.filter(organization_id=found.pk) if found else queryset.none()

    def by_actor(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> QuerySet[AuditEvent]:
        """A handle is never used again, so both name the same person."""
        key = uuid_of(value)
        return queryset.filter(actor=value) if key is None else queryset.filter(actor_id=key)

    def of_action(self, queryset: QuerySet[AuditEvent], name: str, value: str) -> QuerySet[AuditEvent]:
        """With a star at its end, all that begin so."""
        wanted: dict[str, Any] = {"action": value}
        if value.endswith("*"):
            wanted = {"action__startswith": value[:-1]}
        return queryset.filter(Q(**wanted))
