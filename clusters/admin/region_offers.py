"""Whom regions are offered to."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin.service_admin import ServiceAdmin
from accounts.services.audit import Actor
from clusters.models import RegionOffer
from clusters.services.region_offers import region_offer_create, region_offer_delete


class RegionOfferForm(forms.ModelForm):  # type: ignore[type-arg]
    """An offer to one organization or one project."""

    class Meta:
        model = RegionOffer
        fields = ("region", "organization", "project")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("organization")) == bool(cleaned.get("project")):
            self.add_error("organization", "Choose an organization or a project, and not both.")
        return cleaned


class RegionOfferAdmin(ServiceAdmin):
    """All hosts of the platform in a region, also those that come later. An offer is made and ended, not changed."""

    form = RegionOfferForm
    list_display = ("region", "organization", "project", "created_at")
    list_filter = ("region",)
    list_select_related = ("organization", "project__organization")
    search_fields = ("region", "organization__name", "project__name")
    autocomplete_fields = ("organization", "project")
    fields = ("region", "organization", "project")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RegionOffer]:
        rows: QuerySet[RegionOffer] = super().get_queryset(request)
        return rows.select_related("organization", "project__organization")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> RegionOffer:
        to = cleaned["organization"] or cleaned["project"]
        return region_offer_create(region=cleaned["region"], to=to, actor=actor)

    def service_delete(self, actor: Actor, row: RegionOffer) -> None:
        region_offer_delete(offer=row, actor=actor)
