"""Who has which role where. Guardian's permission rows follow by themselves and are shown nowhere."""

from typing import Any

from django import forms
from django.utils import timezone

from accounts.admin.service_admin import ServiceAdmin
from accounts.models import RoleBinding
from accounts.services.audit import Actor
from accounts.services.role_bindings import role_binding_create, role_binding_delete, role_binding_update


class RoleBindingForm(forms.ModelForm):  # type: ignore[type-arg]
    """One subject, one scope."""

    class Meta:
        model = RoleBinding
        labels = {"role": "role (built-in, or the organization's own)"}
        fields = ("user", "team", "role", "organization", "project", "expires_at")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for one, other in (("user", "team"), ("organization", "project")):
            if one in self.fields and bool(cleaned.get(one)) == bool(cleaned.get(other)):
                self.add_error(one, f"Exactly one of {one} and {other} is needed.")
        return cleaned


class RoleBindingAdmin(ServiceAdmin):
    """Roles. Only the end of one can be changed: another role is another binding."""

    form = RoleBindingForm
    list_display = ("subject", "role", "scope", "expires_at", "reason", "created_at")
    list_filter = ("role", "organization")
    list_select_related = (
        "user",
        "team__organization",
        "service_account__project__organization",
        "organization",
        "project__organization",
        "virtual_cluster__project__organization",
    )
    search_fields = ("user__handle", "team__name", "organization__name", "project__name")
    fields = ("user", "team", "role", "organization", "project", "expires_at")
    autocomplete_fields = ("user", "team", "organization", "project")
    fixed_fields = ("user", "team", "role", "organization", "project")

    def subject(self, row: RoleBinding) -> str:
        """The user, team or service account."""
        if row.service_account is not None:
            return f"service account {row.service_account}"
        return str(row.user or f"team {row.team}")

    def scope(self, row: RoleBinding) -> str:
        """The organization, the project or the one cluster."""
        return str(row.organization or row.project or f"cluster {row.virtual_cluster}")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> RoleBinding:
        return role_binding_create(
            actor=actor,
            subject=cleaned["user"] or cleaned["team"],
            role=cleaned["role"],
            scope=cleaned["organization"] or cleaned["project"],
            expires_at=cleaned["expires_at"],
            now=timezone.now(),
        )

    def service_update(self, actor: Actor, row: RoleBinding, cleaned: dict[str, Any]) -> RoleBinding:
        return role_binding_update(actor=actor, binding=row, expires_at=cleaned["expires_at"], now=timezone.now())

    def service_delete(self, actor: Actor, row: RoleBinding) -> None:
        role_binding_delete(actor=actor, binding=row, now=timezone.now())
