"""Roles of organizations' own."""

from typing import Any

from django import forms
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from accounts.admin.service_admin import ServiceAdmin
from accounts.models import Role
from accounts.roles import ORGANIZATION_ACTIONS
from accounts.services.audit import Actor
from accounts.services.roles import role_create, role_delete, role_update


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name, and what it allows."""

    actions = forms.MultipleChoiceField(
        choices=[(action, action) for action in ORGANIZATION_ACTIONS], widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    class Meta:
        model = Role
        fields = ("organization", "name", "description", "actions")


class RoleAdmin(ServiceAdmin):
    """What organizations call sets of actions. One that is in use cannot be deleted here."""

    form = RoleForm
    list_display = ("name", "organization", "description", "given", "created_at")
    list_filter = ("organization",)
    list_select_related = ("organization",)
    search_fields = ("name", "organization__name", "description")
    fields = ("organization", "name", "description", "actions")
    autocomplete_fields = ("organization",)
    fixed_fields = ("organization", "name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        rows: QuerySet[Role] = super().get_queryset(request)
        return rows.annotate(given=Count("bindings"))

    def given(self, row: Any) -> int:
        """How often it was given."""
        return int(row.given)

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> Role:
        return role_create(actor=actor, **cleaned)

    def service_update(self, actor: Actor, row: Role, cleaned: dict[str, Any]) -> Role:
        changed = {name: cleaned[name] for name in ("description", "actions")}
        return role_update(actor=actor, role=row, now=timezone.now(), **changed)

    def service_delete(self, actor: Actor, row: Role) -> None:
        role_delete(actor=actor, role=row, now=timezone.now())
