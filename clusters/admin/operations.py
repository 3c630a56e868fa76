"""Operations: what was done step by step, and the two things one can do to them."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from clusters.admin.words import NOTHING, label, lines_of, timeline
from clusters.models import Operation, OperationEvent
from clusters.selectors import operations_shown
from clusters.services.operations import operation_abort, operation_retry


class EventInline(TabularInline):  # type: ignore[misc]
    """What happened, in its order."""

    model = OperationEvent
    fields = ("time", "step", "level", "text")
    readonly_fields = fields
    can_delete = False
    extra = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OperationAdmin(ReadOnlyAdmin, ServiceAdmin):
    """Operations. The sealed result is never read for these pages."""

    list_display = ("kind", "about", "state_told", "doing", "attempt", "requested_by", "created_at", "finished_at")
    list_filter = ("state", "kind", "created_at", "organization")
    search_fields = ("id", "virtual_cluster__name", "host__name", "requested_by__handle", "error_code")
    date_hierarchy = "created_at"
    ordering = ("-id",)
    actions = ("retry", "abort")
    inlines = (EventInline,)
    readonly_fields = (
        "about",
        "state_told",
        "doing",
        "steps_told",
        "error_told",
        "lease_told",
        "left_behind_told",
        "difference_told",
    )
    fieldsets = (
        (None, {"fields": ("kind", "about", "state_told", "doing", "steps_told", "error_told", "attempt")}),
        ("On hosts", {"fields": ("left_behind_told", "difference_told")}),
        ("When and for whom", {"fields": ("requested_by", "created_at", "started_at", "finished_at")}),
        (
            "Whose turn it is",
            {"fields": ("run_after", "waiting_host", "published_at", "lease_told", "abort_requested")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        rows: QuerySet[Operation] = super().get_queryset(request)
        return operations_shown(rows).select_related("virtual_cluster__project__organization")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change operations by Django's own permissions; the services ask for more."""
        return bool(request.user.has_perm("clusters.change_operation"))

    @admin.display(description="about")
    def about(self, operation: Operation) -> str:
        """The virtual cluster or the host."""
        return str(operation.virtual_cluster or operation.host or NOTHING)

    @admin.display(description="state", ordering="state")
    def state_told(self, operation: Operation) -> SafeString:
        """As a label."""
        return label(operation.state)

    @admin.display(description="doing")
    def doing(self, operation: Operation) -> str:
        """How far it is, how long that usually takes, and what it waits for."""
        if operation.finished or not operation.steps:
            return operation.message or NOTHING
        done = sum(step["state"] == "done" for step in operation.steps)
        step = operation.steps[min(operation.step, len(operation.steps) - 1)]
        usual = getattr(operation, "usual_seconds", None)
        usually = f" (usually {usual:.0f} s)" if usual else ""
        return f"{done} of {len(operation.steps)} steps, {step['name']}{usually}. {operation.message}".strip()

    @admin.display(description="steps")
    def steps_told(self, operation: Operation) -> SafeString | str:
        """As a timeline."""
        return timeline(operation.steps)

    @admin.display(description="error")
    def error_told(self, operation: Operation) -> str:
        """Why the newest attempt did not succeed, and what can be done."""
        if not operation.error_code:
            return NOTHING
        return f"{operation.error_message} ({operation.error_code}) {operation.error_hint}".strip()

    @admin.display(description="left behind")
    def left_behind_told(self, operation: Operation) -> SafeString | str:
        """What one that failed or was aborted left on hosts."""
        return lines_of(
            f"{each['kind']} {each['name']}{' in ' + each['namespace'] if each['namespace'] else ''} on {each['host']}"
            for each in operation.left_behind
        )

    @admin.display(description="difference")
    def difference_told(self, operation: Operation) -> SafeString | str:
        """What it changes of what it found; values of secrets are never in it."""
        return lines_of(
            f"{each['object']} {each['path']}: {json.dumps(each['before'])} → {json.dumps(each['after'])}"
            for each in operation.difference
        )

    @admin.display(description="lease")
    def lease_told(self, operation: Operation) -> str:
        """Which worker has it, and until when."""
        if operation.lease_expires_at is None:
            return "Nobody works on it at this moment."
        return f"{operation.lease_owner}, until {operation.lease_expires_at:%Y-%m-%d %H:%M:%S} UTC"

    @admin.action(description="Retry from the failed step", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        """Of those that Failed."""
        for operation in queryset:
            operation_retry(operation=operation, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{operation} is tried again.")

    @admin.action(description="Abort before the next step", permissions=["operate"])
    def abort(self, request: HttpRequest, queryset: QuerySet[Operation]) -> None:
        """What their steps made stays."""
        for operation in queryset:
            operation_abort(operation=operation, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{operation} ends before its next step.")
