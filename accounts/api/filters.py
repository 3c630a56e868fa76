"""Filters of lists that take what people know: an id or a name."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from accounts.models import Project, RoleBinding, Team, User
from accounts.selectors import uuid_of


class ReferenceFilter(django_filters.CharFilter):
    """`?organization=acme` or `?organization=<id>`: `by_name` is the column that the name stands in."""

    def __init__(self, *, by_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by_name = by_name

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        key = uuid_of(value)
        return qs.filter(**({f"{self.field_name}__pk": key} if key else {self.by_name: value}))


class ProjectFilter(django_filters.CharFilter):
    """`?project=<id>`, `?project=organization/name`, or a name alone."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        if key := uuid_of(value):
            return qs.filter(**{f"{self.field_name}__pk": key})
        organization, slash, name = value.rpartition("/")
        wanted = Q(**{f"{self.field_name}__name": name})
        if slash:
            wanted &= Q(**{f"{self.field_name}__organization__name": organization})
        return qs.filter(wanted)


class OrganizationFilters(django_filters.FilterSet):
    """Of /organizations."""

    name = django_filters.CharFilter()


class TeamFilters(django_filters.FilterSet):
    """Of /teams."""

    organization = ReferenceFilter(by_name="organization__name")
    member = ReferenceFilter(by_name="members__handle", field_name="members")

    class Meta:
        model = Team
        fields = ("organization", "name", "member")


class ProjectFilters(django_filters.FilterSet):
    """Of /projects."""

    organization = ReferenceFilter(by_name="organization__name")

    class Meta:
        model = Project
        fields = ("organization", "name")


class UserFilters(django_filters.FilterSet):
    """Of /users."""

    class Meta:
        model = User
        fields = ("handle",)


class RoleBindingFilters(django_filters.FilterSet):
    """Of /role-bindings."""

    user = ReferenceFilter(by_name="user__handle")
    team = ReferenceFilter(by_name="team__name")
    organization = ReferenceFilter(by_name="organization__name")
    project = ProjectFilter()

    class Meta:
        model = RoleBinding
        fields = ("user", "team", "role", "organization", "project")
