"""What groups of OpenID Connect issuers give."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin.service_admin import ServiceAdmin
from accounts.models import GroupMapping
from accounts.services.audit import Actor
from accounts.services.group_mappings import group_mapping_create, group_mapping_delete, group_mapping_update


class GroupMappingAdmin(ServiceAdmin):
    """Mappings. Only the group can be changed: what it gives is another mapping."""

    list_display = ("group", "gives", "organization", "issuer", "people")
    list_filter = ("organization", "issuer")
    list_select_related = ("organization", "team", "project__organization")
    search_fields = ("group", "organization__name", "team__name", "project__name")
    fields = ("organization", "issuer", "group", "team", "role", "project")
    autocomplete_fields = ("organization", "team", "project")
    fixed_fields = ("organization", "issuer", "team", "role", "project")

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupMapping]:
        rows: QuerySet[GroupMapping] = super().get_queryset(request)
        return rows.annotate(people=Count("grants"))

    @admin.display(description="people", ordering="people")
    def people(self, row: Any) -> int:
        """To how many it gives that now."""
        return int(row.people)

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> GroupMapping:
        return group_mapping_create(actor=actor, **cleaned)

    def service_update(self, actor: Actor, row: GroupMapping, cleaned: dict[str, Any]) -> GroupMapping:
        return group_mapping_update(actor=actor, mapping=row, group=cleaned["group"], now=timezone.now())

    def service_delete(self, actor: Actor, row: GroupMapping) -> None:
        group_mapping_delete(actor=actor, mapping=row, now=timezone.now())
