"""/users and /me"""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import platform_staff, staff_require
from accounts.api.actor import user_of
from accounts.api.fields import NameField
from accounts.api.filters import UserFilters
from accounts.api.proofs import PasswordProof, Prover
from accounts.api.references import RoleInOrganization, RoleInProject
from accounts.api.resources import ListedResource
from accounts.api.schema import MarinaSchema
from accounts.api.strict import StrictSerializer
from accounts.models import User
from accounts.selectors import places_of, users_visible_to
from accounts.services.user_management import managed_password_set, managed_user_create, managed_user_update


class UserSerializer(serializers.ModelSerializer[User]):
    """A colleague."""

    class Meta:
        model = User
        fields = ("id", "handle", "name")
        read_only_fields = fields


class UserManaged(UserSerializer):
    """A person. All but id, handle and name is shown to platform staff only."""

    email = serializers.CharField(required=False, help_text="Empty: none.")
    is_active = serializers.BooleanField(
        required=False, help_text="False: they were deactivated, and are let in nowhere."
    )
    is_staff = serializers.BooleanField(required=False, help_text="Platform staff.")
    created_at = serializers.DateTimeField(required=False)

    class Meta(UserSerializer.Meta):
        fields = (*UserSerializer.Meta.fields, "email", "is_active", "is_staff", "created_at")  # type: ignore[assignment]


class UserChanged(UserManaged):
    """A person after a change."""

    organizations_without_admin = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Organizations that have no admin without them."
    )

    class Meta(UserManaged.Meta):
        fields = (*UserManaged.Meta.fields, "organizations_without_admin")  # type: ignore[assignment]


class UserFields(StrictSerializer):
    """What is set and changed of a person."""

    name = serializers.CharField(max_length=150, allow_blank=True, required=False)
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    is_staff = serializers.BooleanField(required=False, help_text="Platform staff. Only superusers say so.")


class UserCreate(UserFields):
    """A new person."""

    handle = NameField(help_text="Never changed, and never given to somebody else.")
    password = serializers.CharField(
        required=False,
        max_length=1000,
        trim_whitespace=False,
        write_only=True,
        help_text="Left out: they cannot sign in by password before one is set.",
    )


class UserUpdate(UserFields):
    """What changes of a person."""

    is_active = serializers.BooleanField(
        required=False, help_text="False ends sessions and tokens at once; true lets them in again, with new tokens."
    )


class UserPassword(PasswordProof):
    """A new password for somebody else, and what proves you."""

    new_password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)
    code = serializers.CharField(
        required=False, max_length=20, help_text="Of your own second factor, where you have one."
    )


class UserResource(ListedResource[User]):
    """Colleagues: who has a role in, or is in a team of, what you see. Platform staff see and keep everybody.

    To them each comes with email, is_active, is_staff and created_at too.
    """

    serializer_class = UserSerializer
    filterset_class = UserFilters
    search_fields = ("handle", "name")
    ordering_fields = ("handle", "created_at")

    def visible(self) -> QuerySet[User]:
        if platform_staff(self.user):
            return User.objects.filter(is_service_account=False)
        return users_visible_to(self.user)

    def get_serializer_class(self) -> type[serializers.BaseSerializer[User]]:
        documented = getattr(self, "swagger_fake_view", False)
        return UserManaged if documented or platform_staff(self.user) else UserSerializer

    @extend_schema(request=UserCreate, responses={201: UserManaged})
    def create(self, request: Request) -> Response:
        """Makes a person. For platform staff; only superusers make platform staff."""
        staff_require(self.actor, "create users")
        return self.created(managed_user_create(actor=self.actor, **self.body(UserCreate)))

    @extend_schema(request=UserUpdate, responses=UserChanged)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Changes a person, deactivates or activates them. For platform staff; superusers only by superusers.

        Nobody changes themselves here.
        """
        user, body = self.get_object(), self.body(UserUpdate)
        changed = managed_user_update(actor=self.actor, user=user, now=timezone.now(), **body)
        names = [each.name for each in changed.without_admin]
        return Response(self.shown(changed.user) | {"organizations_without_admin": names})

    @extend_schema(request=UserPassword, responses={204: None})
    @action(detail=True, methods=["post"])
    def password(self, request: Request, pk: str) -> Response:
        """Sets somebody's password, which ends their sessions; they are told. For platform staff.

        That of a superuser only by superusers. With a token it takes your own password, and where you have a second
        factor a code of it.
        """
        user = self.get_object()
        staff_require(self.actor, "set the password of other users")
        body = self.body(UserPassword)
        Prover(self, request, body).staff()
        managed_password_set(
            actor=self.actor, user=user, password=body["new_password"], now=timezone.now(), field="new_password"
        )
        return Response(status=204)


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
