"""/users and /me"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import platform_staff
from accounts.api.actor import user_of
from accounts.api.filters import UserFilters
from accounts.api.references import RoleInOrganization, RoleInProject
from accounts.api.resources import ListedResource
from accounts.api.schema import MarinaSchema
from accounts.models import User
from accounts.selectors import places_of, users_visible_to


class UserSerializer(serializers.ModelSerializer[User]):
    """A colleague."""

    class Meta:
        model = User
        fields = ("id", "handle", "name")
        read_only_fields = fields


class UserResource(ListedResource[User]):
    """Colleagues: who has a role in, or is in a team of, what you see."""

    serializer_class = UserSerializer
    filterset_class = UserFilters
    search_fields = ("handle", "name")
    ordering_fields = ("handle", "created_at")

    def visible(self) -> QuerySet[User]:
        return users_visible_to(self.user)


class Me(serializers.Serializer[Any]):
    """You, and where you have which role."""

    id = serializers.UUIDField()
    handle = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    is_staff = serializers.BooleanField(help_text="Platform staff, where the token leaves that.")
    organizations = RoleInOrganization(many=True)
    projects = RoleInProject(many=True)


class MeResource(APIView):
    """You."""

    schema = MarinaSchema()
    metadata_class = None

    @extend_schema(operation_id="me", responses=Me)
    def get(self, request: Request) -> Response:
        """Who you are, and your organizations and projects with your role in each."""
        user = user_of(request)
        places = places_of(user, now=timezone.now())
        answer = {
            "id": user.pk,
            "handle": user.handle,
            "name": user.name,
            "email": user.email,
            "is_staff": platform_staff(user),
            "organizations": [{"id": each.pk, "name": each.name, "role": role} for each, role in places.organizations],
            "projects": [
                {"id": each.pk, "name": each.name, "organization": each.organization, "role": role}
                for each, role in places.projects
            ],
        }
        return Response(Me(answer).data)
