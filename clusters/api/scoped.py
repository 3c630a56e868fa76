"""What is of an organization, a project or a cluster: named by one field of three, and shown the same way."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import OrganizationField, ProjectField
from accounts.api.references import ProjectReference
from accounts.api.strict import StrictSerializer
from clusters.api.fields import ClusterField
from clusters.models import VirtualCluster


class ClusterReference(serializers.ModelSerializer[VirtualCluster]):
    """A virtual cluster, in short, with its project."""

    project = ProjectReference(read_only=True)

    class Meta:
        model = VirtualCluster
        fields = ("id", "name", "project")
        read_only_fields = fields


class OfProjectOrCluster(StrictSerializer):
    """Whose it is to be: a project's, or one cluster's."""

    project = ProjectField(required=False, help_text="Id, or organization/name.")
    virtual_cluster = ClusterField(required=False, help_text="Id.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Takes the one that is named out, as `scope`."""
        names = [name for name in ("organization", "project", "virtual_cluster") if name in self.fields]
        given = [name for name in names if name in attrs]
        if len(given) != 1:
            told = f"Exactly one of {', '.join(f'`{name}`' for name in names)} is needed."
            raise serializers.ValidationError({names[-1]: told})
        return {**attrs, "scope": attrs.pop(given[0])}


class OfAnyScope(OfProjectOrCluster):
    """Whose it is to be: an organization's, a project's, or one cluster's."""

    organization = OrganizationField(required=False, help_text="Id or name.")
