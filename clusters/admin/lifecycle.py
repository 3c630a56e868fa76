"""Schedules, policies, and what the cleanup did and would do."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from accounts.services.audit import Actor
from clusters.admin.lifecycle_forms import SAYS, LifecyclePolicyForm, SleepScheduleForm
from clusters.admin.words import NOTHING, as_json, lines_of
from clusters.lifecycle.spans import span_text
from clusters.models import CleanupAction, CleanupRun, CleanupSwitch, LifecyclePolicy, SleepSchedule
from clusters.services import sleep_schedules as schedules
from clusters.services.cleanup_looking import preview
from clusters.services.cleanup_switching import cleanup_switch_set
from clusters.services.lifecycle_policies import (
    lifecycle_policy_create,
    lifecycle_policy_delete,
    lifecycle_policy_update,
)
from clusters.services.project_nights import project_sleep_postpone, project_sleep_skip
from clusters.services.sleep_putting_off import sleep_postpone, sleep_skip

PREVIEWED = 200
LATER_SECONDS = 7200


def scope_of(cleaned: dict[str, Any], scopes: tuple[str, ...]) -> Any:
    """The one of these that was given."""
    return next(cleaned[name] for name in scopes if cleaned.get(name))


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "no more"


class SleepScheduleAdmin(ServiceAdmin):
    """When clusters sleep, wake and are exported. One of a cluster takes the place of its project's."""

    form = SleepScheduleForm
    fixed_fields = SleepScheduleForm.scopes
    list_display = ("project", "virtual_cluster", "sleep_cron", "wake_cron", "export_cron", "time_zone", "enabled")
    list_filter = ("enabled", "time_zone")
    list_select_related = ("project__organization", "virtual_cluster__project__organization")
    search_fields = ("project__name", "virtual_cluster__name")
    autocomplete_fields = ("project", "virtual_cluster")
    actions = ("not_tonight", "two_hours_later")

    @admin.action(description="Not tonight: leave out the next time to sleep, once", permissions=["change"])
    def not_tonight(self, request: HttpRequest, queryset: QuerySet[SleepSchedule]) -> None:
        """Of a project's: for all of its clusters that have not decided otherwise."""
        for schedule in queryset:
            self._put_off(request, schedule, None)

    @admin.action(description="Sleep two hours later, once", permissions=["change"])
    def two_hours_later(self, request: HttpRequest, queryset: QuerySet[SleepSchedule]) -> None:
        """Likewise."""
        for schedule in queryset:
            self._put_off(request, schedule, LATER_SECONDS)

    def _put_off(self, request: HttpRequest, schedule: SleepSchedule, seconds: int | None) -> None:
        actor, now = admin_actor(request), timezone.now()
        if (project := schedule.project) is not None:
            if seconds is None:
                night = project_sleep_skip(project=project, actor=actor, now=now)
            else:
                night = project_sleep_postpone(project=project, seconds=seconds, actor=actor, now=now)
            told = ", ".join(f"{each.name} sleeps {_when(each.next_sleep_at)}" for each in night.clusters[:PREVIEWED])
            messages.success(request, f"{project}: {told or 'none of its clusters is to sleep'}.")
        elif (cluster := schedule.virtual_cluster) is not None:
            if seconds is None:
                cluster = sleep_skip(virtual_cluster=cluster, actor=actor, now=now)
            else:
                cluster = sleep_postpone(virtual_cluster=cluster, seconds=seconds, actor=actor, now=now)
            messages.success(request, f"{cluster} sleeps {_when(cluster.next_sleep_at)}.")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> SleepSchedule:
        wanted = {name: cleaned[name] for name in schedules.FIELDS}
        scope = scope_of(cleaned, SleepScheduleForm.scopes)
        return schedules.sleep_schedule_create(scope=scope, actor=actor, now=timezone.now(), wanted=wanted)

    def service_update(self, actor: Actor, row: SleepSchedule, cleaned: dict[str, Any]) -> SleepSchedule:
        wanted = {name: cleaned[name] for name in schedules.FIELDS}
        return schedules.sleep_schedule_update(schedule=row, actor=actor, now=timezone.now(), wanted=wanted)

    def service_delete(self, actor: Actor, row: SleepSchedule) -> None:
        schedules.sleep_schedule_delete(schedule=row, actor=actor, now=timezone.now())


class LifecyclePolicyAdmin(ServiceAdmin):
    """When unused clusters sleep and are deleted. An empty field says nothing; then the wider scope counts."""

    form = LifecyclePolicyForm
    fixed_fields = LifecyclePolicyForm.scopes
    list_display = ("scope_told", "sleep_told", "delete_told", "warn_told", "extension_told")
    list_select_related = ("organization", "project__organization", "virtual_cluster__project__organization")
    search_fields = ("organization__name", "project__name", "virtual_cluster__name")
    autocomplete_fields = ("organization", "project", "virtual_cluster")

    @admin.display(description="of")
    def scope_told(self, policy: LifecyclePolicy) -> str:
        """Whose it is."""
        return f"{policy.scope._meta.verbose_name} {policy.scope}"

    @admin.display(description="sleep after", ordering="sleep_after")
    def sleep_told(self, policy: LifecyclePolicy) -> str:
        """Without use."""
        return _never_or(policy.sleep_after, never=policy.never_sleep)

    @admin.display(description="delete after", ordering="delete_after")
    def delete_told(self, policy: LifecyclePolicy) -> str:
        """Without use."""
        return _never_or(policy.delete_after, never=policy.never_delete)

    @admin.display(description="warn before")
    def warn_told(self, policy: LifecyclePolicy) -> str:
        """Before a deletion."""
        return ", ".join(map(span_text, policy.warn_before or ())) or NOTHING

    @admin.display(description="extension", ordering="extension_maximum")
    def extension_told(self, policy: LifecyclePolicy) -> str:
        """How far it reaches."""
        return _never_or(policy.extension_maximum, never=None)

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> LifecyclePolicy:
        says = {name: cleaned[name] for name in SAYS}
        return lifecycle_policy_create(scope=scope_of(cleaned, LifecyclePolicyForm.scopes), actor=actor, says=says)

    def service_update(self, actor: Actor, row: LifecyclePolicy, cleaned: dict[str, Any]) -> LifecyclePolicy:
        says = {name: cleaned[name] for name in SAYS}
        return lifecycle_policy_update(policy=row, actor=actor, says=says)

    def service_delete(self, actor: Actor, row: LifecyclePolicy) -> None:
        lifecycle_policy_delete(policy=row, actor=actor)


def _never_or(seconds: int | None, *, never: bool | None) -> str:
    if never or seconds is None:
        return "never" if never else NOTHING
    return span_text(seconds)


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

    list_display = ("__str__", "reason", "changed_by", "changed_at")
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
        return lines_of([*due[:PREVIEWED], *more]) if due else "It does nothing to any cluster."

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> CleanupSwitch:
        return self._set(actor, cleaned)

    def service_update(self, actor: Actor, row: CleanupSwitch, cleaned: dict[str, Any]) -> CleanupSwitch:
        return self._set(actor, cleaned)

    def _set(self, actor: Actor, cleaned: dict[str, Any]) -> CleanupSwitch:
        return cleanup_switch_set(
            stopped=cleaned["stopped"], reason=cleaned.get("reason", ""), actor=actor, now=timezone.now()
        )
