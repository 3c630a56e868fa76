"""Fields of request bodies that stand for this app's nouns."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.access import platform_staff
from accounts.api.actor import user_of
from accounts.api.fields import NameField, OrganizationField, ProjectField, ReferenceField
from accounts.errors import InvalidInput
from accounts.models import Organization, Project, User
from accounts.selectors import uuid_of
from clusters.kubeconfig_yaml import ACCEPTED as KUBECONFIG_ACCEPTED
from clusters.models import HostCluster, VirtualCluster
from clusters.names import NAME_ACCEPTED, name_validate
from clusters.selectors import hosts_list, virtual_clusters_list


class ClusterNameField(NameField):
    """The name of a virtual cluster or a host."""

    accepted = NAME_ACCEPTED

    def fault(self, value: str) -> str:
        try:
            name_validate(value)
        except InvalidInput as error:
            return error.message
        return super().fault(value)


class KubeconfigField(serializers.CharField):
    """A kubeconfig file's text, which the service reads."""

    accepted = KUBECONFIG_ACCEPTED

    def __init__(self, **kwargs: Any) -> None:
        # even blanks at its beginning mean something in YAML
        super().__init__(trim_whitespace=False, error_messages={"blank": "The kubeconfig is empty."}, **kwargs)


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
        return Organization.objects.all() if platform_staff(user) else super().among(user)


@extend_schema_field(OpenApiTypes.STR)
class HostProjectField(ProjectField):
    """A project by id or as `organization/name`. Platform staff may name any, as with organizations."""

    def among(self, user: User) -> QuerySet[Project]:
        return Project.objects.select_related("organization") if platform_staff(user) else super().among(user)


@extend_schema_field(OpenApiTypes.UUID)
class ClusterField(ReferenceField):
    """A virtual cluster by id, among those the sender may see. Needs `request` in the context."""

    noun = "virtual cluster"
    accepted = "a virtual cluster's id"

    def find(self, text: str) -> VirtualCluster | None:
        key = uuid_of(text)
        found = virtual_clusters_list(user_of(self.context["request"]))
        return None if key is None else found.filter(pk=key).first()
