"""Filters of lists that take what people know: an id or a name."""

from collections.abc import Iterator
from typing import Any

import django_filters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.forms import ChoiceField, Field, Form, UUIDField
from django.http import HttpRequest
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.views import APIView

from accounts.errors import FieldError, InvalidInput
from accounts.models import (
    FederationRule,
    Invitation,
    JoinRequest,
    Project,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
)
from accounts.selectors import uuid_of


class Filters(DjangoFilterBackend):
    """Refuses a filter's value in Marina's words: each error names the parameter and what it takes."""

    def filter_queryset(self, request: HttpRequest, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise InvalidInput.of(_refusals(filterset.form))
        filtered: QuerySet[Any] = filterset.qs
        return filtered


def _refusals(form: Form) -> Iterator[FieldError]:
    for name, errors in form.errors.as_data().items():
        field = form.fields[name]
        for error in errors:
            yield FieldError(field=name, message=_message(name, error), accepted=_accepted(field))


def _message(name: str, error: ValidationError) -> str:
    value = (error.params or {}).get("value")
    if error.code != "invalid_choice" or value is None:
        return str(error.messages[0])
    return f"There is no {name.replace('_', ' ')} {str(value)[:80]}."


def _accepted(field: Field) -> str:
    if isinstance(field, ChoiceField):
        choices: Any = field.choices
        return f"one of: {', '.join(str(value) for value, _ in choices if value)}"
    return "an id (UUID)" if isinstance(field, UUIDField) else ""


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
    service_account = ReferenceFilter(by_name="service_account__name")
    virtual_cluster = ReferenceFilter(by_name="virtual_cluster__name")

    class Meta:
        model = RoleBinding
        fields = ("user", "team", "service_account", "role", "organization", "project", "virtual_cluster")


class JoinRequestFilters(django_filters.FilterSet):
    """Of /join-requests."""

    project = ProjectFilter()
    user = ReferenceFilter(by_name="user__handle")

    class Meta:
        model = JoinRequest
        fields = ("project", "user", "state")


class InvitationFilters(django_filters.FilterSet):
    """Of /invitations."""

    organization = ReferenceFilter(by_name="organization__name")
    project = ProjectFilter()

    class Meta:
        model = Invitation
        fields = ("organization", "project", "role")


class ServiceAccountFilters(django_filters.FilterSet):
    """Of /service-accounts."""

    project = ProjectFilter()
    organization = ReferenceFilter(by_name="project__organization__name", field_name="project__organization")

    class Meta:
        model = ServiceAccount
        fields = ("project", "organization", "name")


class FederationRuleFilters(django_filters.FilterSet):
    """Of /federation-rules."""

    service_account = ReferenceFilter(by_name="service_account__name")
    project = ProjectFilter(field_name="service_account__project")

    class Meta:
        model = FederationRule
        fields = ("service_account", "project", "issuer", "name")
