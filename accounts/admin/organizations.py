"""Organizations, teams and projects."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.service_admin import ServiceAdmin
from accounts.models import Organization, Project, Team, User
from accounts.services.audit import Actor
from accounts.services.organizations import organization_create, organization_delete, organization_update
from accounts.services.projects import project_create, project_delete, project_update
from accounts.services.teams import team_create, team_delete, team_update


class NewOrganizationForm(forms.ModelForm):  # type: ignore[type-arg]
    """An organization begins with an admin."""

    admin = forms.ModelChoiceField(
        User.objects.filter(is_active=True), help_text="Its first admin.", widget=UnfoldAdminSelectWidget
    )

    class Meta:
        model = Organization
        fields = ("name", "display_name")


class OrganizationAdmin(ServiceAdmin):
    """Organizations."""

    list_display = ("name", "display_name", "created_at")
    search_fields = ("name", "display_name")
    fields = (
        "name",
        "display_name",
        "personal_projects",
        "personal_project_clusters",
        "personal_project_lifetime_days",
        "member_projects",
    )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs |= {"form": NewOrganizationForm, "fields": ("name", "display_name")}
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("name", "display_name", "admin")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> Organization:
        return organization_create(actor=actor, now=timezone.now(), **cleaned)

    def service_update(self, actor: Actor, row: Organization, cleaned: dict[str, Any]) -> Organization:
        return organization_update(actor=actor, organization=row, **cleaned)

    def service_delete(self, actor: Actor, row: Organization) -> None:
        organization_delete(actor=actor, organization=row)


class TeamAdmin(ServiceAdmin):
    """Teams and who is in them."""

    list_display = ("name", "organization", "member_count", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name")
    fields = ("organization", "name", "members")
    autocomplete_fields = ("organization", "members")
    fixed_fields = ("organization",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        rows: QuerySet[Team] = super().get_queryset(request)
        return rows.annotate(member_count=Count("members"))

    @admin.display(description="members", ordering="member_count")
    def member_count(self, row: Any) -> int:
        """How many are in it."""
        return int(row.member_count)

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> Team:
        return team_create(actor=actor, **cleaned)

    def service_update(self, actor: Actor, row: Team, cleaned: dict[str, Any]) -> Team:
        return team_update(actor=actor, team=row, **cleaned)

    def service_delete(self, actor: Actor, row: Team) -> None:
        team_delete(actor=actor, team=row)


class ProjectAdmin(ServiceAdmin):
    """Projects."""

    list_display = ("name", "organization", "display_name", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "display_name", "organization__name")
    fields = (
        "organization",
        "name",
        "display_name",
        "cluster_limit",
        "cluster_lifetime_days",
        "kubeconfig_ceiling",
        "direct_kubeconfigs",
        "request_audit",
        "created_by",
        "personal_of",
    )
    readonly_fields = ("created_by", "personal_of")
    autocomplete_fields = ("organization",)
    fixed_fields = ("organization",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields if obj else ("organization", "name", "display_name")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> Project:
        return project_create(actor=actor, **cleaned)

    def service_update(self, actor: Actor, row: Project, cleaned: dict[str, Any]) -> Project:
        return project_update(actor=actor, project=row, **cleaned)

    def service_delete(self, actor: Actor, row: Project) -> None:
        project_delete(actor=actor, project=row)
