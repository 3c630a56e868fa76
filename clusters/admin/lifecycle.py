"""Schedules, policies, and what the cleanup did and would do."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin
from accounts.services.audit import Actor
from clusters.admin.words import NOTHING, as_json, lines_of
from clusters.models import CleanupAction, CleanupRun, CleanupSwitch, LifecyclePolicy, SleepSchedule
from clusters.services import sleep_schedules as schedules
from clusters.services.cleanup_looking import preview
from clusters.services.cleanup_switching import cleanup_switch_set
from clusters.services.lifecycle_policies import (
    lifecycle_policy_create,
    lifecycle_policy_delete,
    lifecycle_policy_update,
)

PREVIEWED = 200


class OfOne(forms.ModelForm):  # type: ignore[type-arg]
    """A row of exactly one scope; once it is made the scope is fixed."""

    scopes: tuple[str, ...] = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance._state.adding and sum(bool(cleaned.get(name)) for name in self.scopes) != 1:
            self.add_error(self.scopes[0], f"Choose one of {', '.join(self.scopes)}, and not more.")
        return cleaned


def scope_of(cleaned: dict[str, Any], scopes: tuple[str, ...]) -> Any:
    return next(cleaned[name] for name in scopes if cleaned.get(name))


class SleepScheduleForm(OfOne):
    """Of a project or a cluster."""

    scopes = ("project", "virtual_cluster")

    class Meta:
        model = SleepSchedule
        fields = ("project", "virtual_cluster", *schedules.FIELDS)


class SleepScheduleAdmin(ServiceAdmin):
    """When clusters sleep, wake and are exported. One of a cluster takes the place of its project's."""

    form = SleepScheduleForm
    fixed_fields = SleepScheduleForm.scopes
    list_display = ("project", "virtual_cluster", "sleep_cron", "wake_cron", "export_cron", "time_zone", "enabled")
    list_filter = ("enabled", "time_zone")
    list_select_related = ("project__organization", "virtual_cluster__project__organization")
    search_fields = ("project__name", "virtual_cluster__name")
    autocomplete_fields = ("project", "virtual_cluster")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> SleepSchedule:
        wanted = {name: cleaned[name] for name in schedules.FIELDS}
        scope = scope_of(cleaned, SleepScheduleForm.scopes)
        return schedules.sleep_schedule_create(scope=scope, actor=actor, now=timezone.now(), wanted=wanted)

    def service_update(self, actor: Actor, row: SleepSchedule, cleaned: dict[str, Any]) -> SleepSchedule:
        wanted = {name: cleaned[name] for name in schedules.FIELDS}
        return schedules.sleep_schedule_update(schedule=row, actor=actor, now=timezone.now(), wanted=wanted)

    def service_delete(self, actor: Actor, row: SleepSchedule) -> None:
        schedules.sleep_schedule_delete(schedule=row, actor=actor, now=timezone.now())


_SAYS = ("sleep_after", "delete_after", "warn_before", "never_sleep", "never_delete", "extension_maximum")


class LifecyclePolicyForm(OfOne):
    """Of an organization, a project or a cluster."""

    scopes = ("organization", "project", "virtual_cluster")

    class Meta:
        model = LifecyclePolicy
        fields = ("organization", "project", "virtual_cluster", *_SAYS)


class LifecyclePolicyAdmin(ServiceAdmin):
    """When unused clusters sleep and are deleted. An empty field says nothing; then the wider scope counts."""

    form = LifecyclePolicyForm
    fixed_fields = LifecyclePolicyForm.scopes
    list_display = ("organization", "project", "virtual_cluster", *_SAYS)
    list_select_related = ("organization", "project__organization", "virtual_cluster__project__organization")
    search_fields = ("organization__name", "project__name", "virtual_cluster__name")
    autocomplete_fields = ("organization", "project", "virtual_cluster")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> LifecyclePolicy:
        says = {name: cleaned[name] for name in _SAYS}
        return lifecycle_policy_create(scope=scope_of(cleaned, LifecyclePolicyForm.scopes), actor=actor, says=says)

    def service_update(self, actor: Actor, row: LifecyclePolicy, cleaned: dict[str, Any]) -> LifecyclePolicy:
        says = {name: cleaned[name] for name in _SAYS}
        return lifecycle_policy_update(policy=row, actor=actor, says=says)

    def service_delete(self, actor: Actor, row: LifecyclePolicy) -> None:
        lifecycle_policy_delete(policy=row, actor=actor)


class CleanupRunAdmin(ReadOnlyAdmin):
    """Reports of sweeps, with what each did."""

    list_display = (
        *("started_at", "state", "after_gap", "looked_at", "warned", "asked", "put_to_sleep", "deleted", "cleared"),
        *("unknown", "left"),
    )
    list_filter = ("state", "started_at")
    fields = (*list_display, "finished_at", "message", "done")
    readonly_fields = ("done",)

    def done(self, run: CleanupRun) -> SafeString | str:
        """One line a cluster."""
        items = run.items.select_related("virtual_cluster__project__organization")[:PREVIEWED]
        return lines_of(f"{each.action} {each.virtual_cluster}: {each.refused or each.why}" for each in items)


class CleanupItemAdmin(ReadOnlyAdmin):
    """What sweeps did to single clusters, why, and by which signals."""

    list_display = ("created_at", "virtual_cluster", "action", "cleanup_at", "why", "refused")
    list_filter = ("action", "created_at")
    list_select_related = ("virtual_cluster__project__organization",)
    search_fields = ("virtual_cluster__name",)
    fields = ("run", "virtual_cluster", "action", "cleanup_at", "why", "refused", "operation", "signals_read")
    readonly_fields = ("signals_read",)

    def signals_read(self, item: Any) -> SafeString | str:
        """As they were."""
        return as_json(item.signals)


class CleanupSwitchAdmin(ServiceAdmin):
    """Stops all cleanup at once, and tells what the next sweep would do."""

    list_display = ("__str__", "stopped", "reason", "changed_by", "changed_at")
    fields = ("stopped", "reason", "changed_by", "changed_at", "next_sweep")
    readonly_fields = ("changed_by", "changed_at", "next_sweep")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not CleanupSwitch.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def next_sweep(self, switch: CleanupSwitch) -> SafeString | str:
        """What it would do to which cluster, and why."""
        due = [
            f"{decision.action} {case.cluster}: {decision.why}"
            for case, decision in preview(now=timezone.now(), user=None)
            if decision.action is not CleanupAction.NOTHING
        ]
        more = [f"and {len(due) - PREVIEWED} more"] if len(due) > PREVIEWED else []
        return lines_of([*due[:PREVIEWED], *more]) if due else NOTHING

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> CleanupSwitch:
        return self._set(actor, cleaned)

    def service_update(self, actor: Actor, row: CleanupSwitch, cleaned: dict[str, Any]) -> CleanupSwitch:
        return self._set(actor, cleaned)

    def _set(self, actor: Actor, cleaned: dict[str, Any]) -> CleanupSwitch:
        return cleanup_switch_set(
            stopped=cleaned["stopped"], reason=cleaned.get("reason", ""), actor=actor, now=timezone.now()
        )
