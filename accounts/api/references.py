"""How an object is shown inside another: its id and what names it."""

from typing import Any

from rest_framework import serializers

from accounts.models import Organization, Project, ServiceAccount, Team, User


class UserReference(serializers.ModelSerializer[User]):
    """A user, in short. `name` is what to show: a service account's own name, else the handle."""

    name = serializers.CharField(source="label", read_only=True)

    class Meta:
        model = User
        fields = ("id", "handle", "name")
        read_only_fields = fields


class OrganizationReference(serializers.ModelSerializer[Organization]):
    """An organization, in short."""

    class Meta:
        model = Organization
        fields = ("id", "name")
        read_only_fields = fields


class TeamReference(serializers.ModelSerializer[Team]):
    """A team, in short."""

    class Meta:
        model = Team
        fields = ("id", "name")
        read_only_fields = fields


class ProjectReference(serializers.ModelSerializer[Project]):
    """A project, in short, with its organization."""

    organization = OrganizationReference(read_only=True)

    class Meta:
        model = Project
        fields = ("id", "name", "organization")
        read_only_fields = fields


class ServiceAccountReference(serializers.ModelSerializer[ServiceAccount]):
    """A service account, in short, with its project."""

    project = ProjectReference(read_only=True)

    class Meta:
        model = ServiceAccount
        fields = ("id", "name", "project")
        read_only_fields = fields


class VirtualClusterReference(serializers.Serializer[Any]):
    """A virtual cluster, in short, with its project."""

    id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    project = ProjectReference()


class RoleInOrganization(serializers.Serializer[Any]):
    """An organization and one's role in it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.CharField()


class RoleInProject(RoleInOrganization):
    """A project and one's role in it."""

    organization = OrganizationReference()
