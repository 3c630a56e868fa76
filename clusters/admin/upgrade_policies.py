"""Maintenance windows, and what Marina upgrades in them by itself."""

from typing import Any

from accounts.admin.service_admin import ServiceAdmin
from accounts.services.audit import Actor
from clusters.admin.lifecycle import scope_of
from clusters.admin.lifecycle_forms import OfOne
from clusters.models import UpgradePolicy
from clusters.services.upgrade_policies import (
    FIELDS,
    upgrade_policy_create,
    upgrade_policy_delete,
    upgrade_policy_update,
)


class UpgradePolicyForm(OfOne):
    """Of an organization, a project or a cluster."""

    scopes = ("organization", "project", "virtual_cluster")

    class Meta:
        model = UpgradePolicy
        fields = ("organization", "project", "virtual_cluster", *FIELDS)


class UpgradePolicyAdmin(ServiceAdmin):
    """An empty field says nothing; then the wider scope counts."""

    form = UpgradePolicyForm
    fixed_fields = UpgradePolicyForm.scopes
    list_display = ("organization", "project", "virtual_cluster", *FIELDS)
    list_filter = ("channel",)
    list_select_related = ("organization", "project__organization", "virtual_cluster__project__organization")
    search_fields = ("organization__name", "project__name", "virtual_cluster__name")
    autocomplete_fields = ("organization", "project", "virtual_cluster")

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> UpgradePolicy:
        says = {name: cleaned[name] for name in FIELDS}
        return upgrade_policy_create(scope=scope_of(cleaned, UpgradePolicyForm.scopes), actor=actor, says=says)

    def service_update(self, actor: Actor, row: UpgradePolicy, cleaned: dict[str, Any]) -> UpgradePolicy:
        return upgrade_policy_update(policy=row, actor=actor, says={name: cleaned[name] for name in FIELDS})

    def service_delete(self, actor: Actor, row: UpgradePolicy) -> None:
        upgrade_policy_delete(policy=row, actor=actor)
