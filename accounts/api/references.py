"""How an object is shown inside another: its id and what names it."""

from typing import Any

from rest_framework import serializers

from accounts.models import Organization, Project, Team, User


class UserReference(serializers.ModelSerializer[User]):
    """A user, in short."""

    class Meta:
        model = User
        fields = ("id", "handle")
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


class RoleInOrganization(serializers.Serializer[Any]):
    """An organization and one's role in it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    role = serializers.CharField()


class RoleInProject(RoleInOrganization):
    """A project and one's role in it."""

    organization = OrganizationReference()
