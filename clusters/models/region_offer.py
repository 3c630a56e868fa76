"""Offers of a whole region: every platform host there, also those that come later."""

from django.db import models
from django.db.models import Q

from accounts.models import Organization, Project
from accounts.models.base import Row


class RegionOffer(Row):
    """All platform hosts of a region are offered to an organization or to a project."""

    region = models.CharField(max_length=60, help_text="As hosts have it.")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="region_offers"
    )
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, blank=True, related_name="region_offers")

    class Meta:
        ordering = ["region", "id"]
        constraints = [
            models.CheckConstraint(
                name="region_offer_is_to_one",
                condition=Q(organization__isnull=False, project__isnull=True)
                | Q(organization__isnull=True, project__isnull=False),
            ),
            # hosts without a region have "", and are not a region together
            models.CheckConstraint(name="region_offer_names_a_region", condition=~Q(region="")),
            models.UniqueConstraint(
                name="region_offer_once", fields=["region", "organization", "project"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.region} to {self.offered_to}"

    @property
    def offered_to(self) -> Organization | Project:
        """Who may use the hosts there."""
        to = self.organization or self.project
        if to is None:
            raise ValueError("a region is always offered to somebody (check constraint)")
        return to
