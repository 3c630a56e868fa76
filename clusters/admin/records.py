"""What is looked at and not edited: credentials (never their content), placements, and charts."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin
from clusters.admin.words import as_json
from clusters.models import Chart, HostCredential, Placement


class HostCredentialAdmin(ReadOnlyAdmin):
    """When each credential came and ends. Its content is never read for this page."""

    list_display = ("host", "generation", "in_use", "being_proved", "issued_at", "expires_at", "renewable")
    list_filter = ("renewable", "expires_at")
    list_select_related = ("host",)
    search_fields = ("host__name",)
    fields = list_display

    def get_queryset(self, request: HttpRequest) -> QuerySet[HostCredential]:
        rows: QuerySet[HostCredential] = super().get_queryset(request)
        return rows.defer("ciphertext", "candidate").annotate(
            has_ciphertext=_is_there("ciphertext"), has_candidate=_is_there("candidate")
        )

    @admin.display(boolean=True)
    def in_use(self, row: HostCredential) -> bool:
        """Whether there is one that was proved."""
        return bool(getattr(row, "has_ciphertext", False))

    @admin.display(boolean=True)
    def being_proved(self, row: HostCredential) -> bool:
        """Whether `connect` has still to prove one."""
        return bool(getattr(row, "has_candidate", False))


def _is_there(column: str) -> Any:
    return ExpressionWrapper(Q(**{f"{column}__isnull": False}), output_field=BooleanField())


class PlacementAdmin(ReadOnlyAdmin):
    """Which virtual cluster is where, and what was observed there."""

    list_display = ("virtual_cluster", "host", "role", "namespace", "kubernetes_version", "chart_version", "endpoint")
    list_filter = ("role", "host")
    list_select_related = ("virtual_cluster__project__organization", "host")
    search_fields = ("virtual_cluster__name", "namespace", "host__name")
    fields = (
        "virtual_cluster",
        "host",
        "role",
        "namespace",
        "namespace_created",
        "release",
        "why",
        "endpoint",
        "kubernetes_version",
        "chart_version",
        "chart_digest",
        "revision",
        "syncs_priority_classes",
        "not_synced_told",
        "created_at",
    )
    readonly_fields = ("not_synced_told",)

    @admin.display(description="not synced")
    def not_synced_told(self, placement: Placement) -> str:
        """Kinds that stay inside, with the reason."""
        return " ".join(f"{each['kind']}: {each['reason']}" for each in placement.not_synced)


class ChartAdmin(ReadOnlyAdmin):
    """The charts that workers fetched, pinned by digest."""

    list_display = ("version", "source", "app_version", "digest", "created_at")
    search_fields = ("version", "source", "digest")
    fields = ("source", "version", "app_version", "digest", "created_at", "schema_told")
    readonly_fields = ("schema_told",)

    @admin.display(description="values schema")
    def schema_told(self, chart: Chart) -> SafeString | str:
        """By which values are checked before they are stored."""
        return as_json(chart.schema)


class KubeconfigGrantAdmin(ReadOnlyAdmin):
    """Who was given a kubeconfig, and whether it has been ended. Until then its expiry is the bound."""

    list_display = ("virtual_cluster", "user", "level", "created_at", "expires_at", "revoked_at")
    list_filter = ("level", "expires_at", "revoked_at")
    list_select_related = ("virtual_cluster__project__organization", "user")
    search_fields = ("virtual_cluster__name", "user__handle")
    fields = ("virtual_cluster", "user", "level", "operation", "created_at", "expires_at", "revoked_at")
