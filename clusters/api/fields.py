"""Fields of request bodies that stand for this app's nouns."""

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from accounts.api.actor import user_of
from accounts.api.fields import OrganizationField, ProjectField, ReferenceField
from accounts.models import Organization, Project, User
from accounts.selectors import uuid_of
from clusters.models import HostCluster
from clusters.selectors import hosts_list


@extend_schema_field(OpenApiTypes.STR)
class HostField(ReferenceField):
    """A host cluster by id or name, among those the sender may see. Needs `request` in the context."""

    noun = "host cluster"
    accepted = "a host cluster's id or name"

    def find(self, text: str) -> HostCluster | None:
        seen = hosts_list(user_of(self.context["request"]))
        key = uuid_of(text)
        return seen.filter(name=text).first() if key is None else seen.filter(pk=key).first()


@extend_schema_field(OpenApiTypes.STR)
class HostOrganizationField(OrganizationField):
    """An organization by id or name. Platform staff, who give out hosts, may name any; that shows nothing of it."""

    def among(self, user: User) -> QuerySet[Organization]:
        return Organization.objects.all() if user.is_staff else super().among(user)


@extend_schema_field(OpenApiTypes.STR)
class HostProjectField(ProjectField):
    """A project by id or as `organization/name`. Platform staff may name any, as with organizations."""

    def among(self, user: User) -> QuerySet[Project]:
        return Project.objects.select_related("organization") if user.is_staff else super().among(user)
