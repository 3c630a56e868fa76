"""Filters of /gateway-requests."""

import re
from datetime import datetime, timedelta
from typing import Any, Final

import django_filters
from django.db.models import Q, QuerySet

from accounts.api.moments import MomentFilter
from accounts.errors import InvalidInput
from accounts.models import Organization, Project, User
from accounts.selectors import uuid_of
from clusters.models import GatewayRequest
from clusters.models.gateway_request import first_id_at
from clusters.selectors_books import clusters_named

Found = QuerySet[GatewayRequest]
MILLISECOND: Final = timedelta(milliseconds=1)

_STATUS: Final = re.compile(r"(?P<one>\d{1,3})|(?P<kind>[1-5])xx|(?P<least>\d{1,3})-(?P<most>\d{1,3})", re.IGNORECASE)


class GatewayRequestFilters(django_filters.FilterSet):
    """Exact values, a range of statuses, and a span of time. Names are looked up as they are now."""

    cluster = django_filters.CharFilter(method="of_cluster", label="Id, or organization/project/name.")
    project = django_filters.CharFilter(method="of_project", label="Id, or organization/name.")
    organization = django_filters.CharFilter(method="of_organization", label="Id or name.")
    user = django_filters.CharFilter(method="by_user", label="Handle or id.")
    verb = django_filters.CharFilter(label="In Kubernetes' words: get, list, watch, create, update, patch, delete.")
    resource = django_filters.CharFilter(method="of_resource", label="Such as `pods`, or `pods/exec`.")
    namespace = django_filters.CharFilter(label="The namespace inside the cluster.")
    name = django_filters.CharFilter(label="The object's name.")
    status = django_filters.CharFilter(method="of_status", label="One (`403`), a class (`4xx`) or a range (`400-499`).")
    acting_as = django_filters.CharFilter(label="The user that `--as` asked for.")
    broken_glass = django_filters.BooleanFilter(label="Whether platform staff did it who broke the glass.")
    since = MomentFilter(method="from_then", label="From this time on.")
    until = MomentFilter(method="before_then", label="Before this time.")

    class Meta:
        model = GatewayRequest
        fields = ("verb", "namespace", "name", "acting_as", "broken_glass")

    def of_cluster(self, found: Found, name: str, value: str) -> Found:
        """With an id those of a cluster whose row is gone, too."""
        return found.filter(_named("cluster_id", value, clusters_named(value)))

    def of_project(self, found: Found, name: str, value: str) -> Found:
        """As the one of a cluster."""
        organization, _, project = value.partition("/")
        named = Project.objects.filter(organization__name=organization, name=project)
        return found.filter(_named("project_id", value, named))

    def of_organization(self, found: Found, name: str, value: str) -> Found:
        """As the one of a cluster."""
        return found.filter(_named("organization_id", value, Organization.objects.filter(name=value)))

    def by_user(self, found: Found, name: str, value: str) -> Found:
        """A handle is never used again, so both name the same person."""
        return found.filter(_named("user_id", value, User.objects.filter(handle=value)))

    def of_resource(self, found: Found, name: str, value: str) -> Found:
        """With a slash only requests to that subresource."""
        resource, slash, subresource = value.partition("/")
        return found.filter(Q(resource=resource), Q(subresource=subresource) if slash else Q())

    def of_status(self, found: Found, name: str, value: str) -> Found:
        """0 is what broke off before there was an answer."""
        match = _STATUS.fullmatch(value.strip())
        if match is None:
            raise InvalidInput(
                f"There is no status {value[:20]!r}.", field="status", accepted="such as 403, 4xx or 400-499"
            )
        if match["one"]:
            return found.filter(status=int(match["one"]))
        if match["kind"]:
            return found.filter(status__range=(int(match["kind"]) * 100, int(match["kind"]) * 100 + 99))
        return found.filter(status__range=(int(match["least"]), int(match["most"])))

    def from_then(self, found: Found, name: str, value: datetime) -> Found:
        """The key is made of the time, so it finds the span."""
        return found.filter(at__gte=value, pk__gte=first_id_at(value))

    def before_then(self, found: Found, name: str, value: datetime) -> Found:
        """A row of that very millisecond may be before it."""
        return found.filter(at__lt=value, pk__lt=first_id_at(value + MILLISECOND))


def _named(column: str, value: str, by_name: QuerySet[Any]) -> Q:
    """What has this id, or is among those of this name: by a column that has an index."""
    key = uuid_of(value)
    return Q(**{column: key}) if key else Q(**{f"{column}__in": by_name.values("pk")})
