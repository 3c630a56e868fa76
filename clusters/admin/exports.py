"""Exports in the admin site: that they are there, and never what is in them."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin
from clusters.admin.words import breaking, lines_of
from clusters.models import Export


class ExportAdmin(ReadOnlyAdmin):
    """Which there are, how large, and until when. Keys and files are not read for these pages."""

    list_display = (
        "virtual_cluster",
        "cause",
        "state",
        "objects_count",
        "size_told",
        "requested_by",
        "created_at",
        "expires_at",
    )
    list_filter = ("state", "cause", "created_at", "expires_at")
    list_select_related = ("virtual_cluster__project__organization", "requested_by")
    search_fields = ("virtual_cluster__name", "project__name", "organization__name")
    fields = (
        "virtual_cluster",
        "cause",
        "state",
        "message",
        "requested_by",
        "operation",
        "created_at",
        "started_at",
        "finished_at",
        "expires_at",
        "objects_count",
        "size_told",
        "storage_told",
        "digest_told",
        "kubernetes_version",
        "chart_version",
        "counts_told",
        "left_out_told",
    )
    readonly_fields = ("size_told", "storage_told", "digest_told", "counts_told", "left_out_told")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        rows: QuerySet[Export] = super().get_queryset(request)
        return rows.defer("key", "spec")

    @admin.display(description="size", ordering="size")
    def size_told(self, export: Export) -> str:
        """Of the file."""
        return filesizeformat(export.size)

    @admin.display(description="storage name")
    def storage_told(self, export: Export) -> SafeString:
        """Of the file."""
        return breaking(export.storage_name)

    @admin.display(description="digest of the manifest (SHA-256)")
    def digest_told(self, export: Export) -> SafeString:
        """As the database has it."""
        return breaking(export.digest)

    @admin.display(description="objects by kind")
    def counts_told(self, export: Export) -> SafeString | str:
        """How many there are of each."""
        return lines_of(f"{count} {kind}" for kind, count in sorted(export.counts.items()))

    @admin.display(description="left out")
    def left_out_told(self, export: Export) -> SafeString | str:
        """By kinds and rule, with the reason."""
        return lines_of(_left_out(entry) for entry in export.left_out)


def _left_out(entry: Mapping[str, Any]) -> str:
    kinds = ", ".join(sorted({each["kind"] for each in entry.get("first") or ()}))
    return f"{entry['count'] or '-'} {kinds} ({entry['rule']}): {entry['reason']}"
