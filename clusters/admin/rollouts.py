"""Rollouts: looked at and decided on. People make them by command line or API, where their waves are shown first."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from accounts.admin.service_admin import ReadOnlyAdmin, ServiceAdmin, admin_actor
from clusters.admin.words import label, lines_of
from clusters.models import Rollout
from clusters.rollouts.wish import ClusterSelector, RolloutWish
from clusters.services.rollout_deciding import rollout_abort, rollout_pause, rollout_resume, rollout_retry

SHOWN = 1000


class RolloutAdmin(ReadOnlyAdmin, ServiceAdmin):
    """One change of many clusters, wave after wave."""

    list_display = ("name", "organization", "project", "does", "state_told", "message", "created_by", "created_at")
    list_filter = ("state", "action", "organization")
    list_select_related = ("organization", "project__organization", "created_by")
    search_fields = ("name", "organization__name", "project__name")
    actions = ("pause", "resume", "abort", "retry")
    fields = (
        *("name", "organization", "project", "created_by", "does", "chosen_by", "state_told", "message"),
        *(
            "wave_told",
            "waves_told",
            "next_wave_at",
            "pause_seconds",
            "soak_seconds",
            "failure_budget",
            "failures_allowed",
        ),
        *("max_parallel", "created_at", "finished_at", "clusters_told"),
    )
    readonly_fields = ("does", "chosen_by", "state_told", "wave_told", "waves_told", "clusters_told")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may change rollouts by Django's own permissions; the services ask for more."""
        return bool(request.user.has_perm("clusters.change_rollout"))

    @admin.display(description="does")
    def does(self, rollout: Rollout) -> str:
        """What is done to each cluster."""
        return f"{rollout.action} to {RolloutWish.of(rollout.wish)}"

    @admin.display(description="selector")
    def chosen_by(self, rollout: Rollout) -> str:
        """By what its clusters were chosen."""
        return str(ClusterSelector.of(rollout.selector))

    @admin.display(description="wave")
    def wave_told(self, rollout: Rollout) -> str:
        """The one that is at work or was the last, counted from 1 as everywhere."""
        return str(rollout.wave + 1)

    @admin.display(description="waves")
    def waves_told(self, rollout: Rollout) -> str:
        """As they were asked for."""
        return ", ".join(map(str, rollout.waves))

    @admin.display(description="state", ordering="state")
    def state_told(self, rollout: Rollout) -> SafeString:
        """As a label."""
        return label(rollout.state)

    @admin.display(description="clusters")
    def clusters_told(self, rollout: Rollout) -> SafeString | str:
        """One line a cluster."""
        rows = rollout.members.select_related("virtual_cluster__project__organization").order_by("position")[:SHOWN]
        return lines_of(
            f"wave {row.wave + 1}: {row.virtual_cluster} {row.state}{f': {row.message}' if row.message else ''}"
            for row in rows
        )

    def _decide(self, request: HttpRequest, queryset: QuerySet[Rollout], decide: Callable[..., Rollout]) -> None:
        for rollout in queryset:
            done = decide(rollout=rollout, actor=admin_actor(request), now=timezone.now())
            messages.success(request, f"{done} is {done.state}. {done.message}")

    @admin.action(description="Pause: begin nothing more", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Rollout]) -> None:
        """What is at work goes on."""
        self._decide(request, queryset, rollout_pause)

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Rollout]) -> None:
        """After a pause, between waves, or after a halt."""
        self._decide(request, queryset, rollout_resume)

    @admin.action(description="Abort: skip what has not begun", permissions=["operate"])
    def abort(self, request: HttpRequest, queryset: QuerySet[Rollout]) -> None:
        """What is at work ends by itself."""
        self._decide(request, queryset, rollout_abort)

    @admin.action(description="Try what failed again", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Rollout]) -> None:
        """Also after its end."""
        self._decide(request, queryset, rollout_retry)
