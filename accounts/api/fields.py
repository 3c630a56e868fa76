"""Fields of request bodies that stand for Marina's nouns: an id or a name, among what the sender may see."""

from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.actor import user_of
from accounts.models import Organization, Project, User
from accounts.models.organization import NAME_RULE
from accounts.selectors import organizations_visible_to, projects_visible_to, uuid_of

NAME_ACCEPTED: Final = "1 to 40 lower-case letters, digits and dashes, beginning and ending with a letter or digit"


class NameField(serializers.CharField):
    """A name as organizations, teams, projects and users have it."""

    accepted = NAME_ACCEPTED

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, validators=[NAME_RULE], **kwargs)

    def run_validators(self, value: Any) -> None:
        """One sentence, however many of the rules a name breaks."""
        try:
            super().run_validators(value)
        except serializers.ValidationError:
            raise serializers.ValidationError(self.fault(str(value))) from None

    def fault(self, value: str) -> str:
        """What is wrong with this name, which breaks a rule."""
        return str(NAME_RULE.message)


class RoleNameField(serializers.CharField):
    """The name of a role: which ones there are depends on where it is given, so the services look it up."""

    accepted = "a built-in role, or one of the organization's own"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)


class ReferenceField(serializers.Field[Any, str, str, Any]):
    """Text that names an object; the value is the object."""

    noun = ""
    accepted = ""

    def to_internal_value(self, data: Any) -> Any:
        # what cannot be seen gets the sentence of what does not exist
        found = self.find(data) if isinstance(data, str) and _storable(data) else None
        if found is None:
            raise serializers.ValidationError(f"There is no such {self.noun}, or you have no role that shows it.")
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.pk)

    def find(self, text: str) -> Any:
        """The object, or None."""
        raise NotImplementedError


def _storable(text: str) -> bool:
    """Names and ids are ASCII; PostgreSQL would not even compare a NUL or half of a surrogate pair."""
    return text.isascii() and text.isprintable()


@extend_schema_field(OpenApiTypes.STR)
class ProjectField(ReferenceField):
    """A project by id or as `organization/name`, among those the sender may see. Needs `request` in the context."""

    noun = "project"
    accepted = "a project's id, or organization/name"

    def find(self, text: str) -> Project | None:
        among = self.among(user_of(self.context["request"]))
        if (key := uuid_of(text)) is not None:
            return among.filter(pk=key).first()
        organization, _, name = text.partition("/")
        return among.filter(organization__name=organization, name=name).first()

    def among(self, user: User) -> QuerySet[Project]:
        """Those that this user may name."""
        return projects_visible_to(user)


@extend_schema_field(OpenApiTypes.STR)
class OrganizationField(ReferenceField):
    """An organization by id or name, among those the sender may see. Needs `request` in the context."""

    noun = "organization"
    accepted = "an organization's id or name"

    def find(self, text: str) -> Organization | None:
        among = self.among(user_of(self.context["request"]))
        key = uuid_of(text)
        return among.filter(name=text).first() if key is None else among.filter(pk=key).first()

    def among(self, user: User) -> QuerySet[Organization]:
        """Those that this user may name."""
        return organizations_visible_to(user)
