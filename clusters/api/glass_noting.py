"""Whoever is in a cluster by broken glass: each of their requests that reaches it leaves a line in the audit log."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import actor_of
from accounts.api.resources import Resource
from accounts.models import RoleBinding, User
from clusters.models import VirtualCluster
from clusters.services.break_glass import break_glass_use_record


class GlassNoted(Resource[Any]):
    """For views of clusters and of what belongs to one. It is written after the view, also where that refused."""

    def get_object(self) -> Any:
        try:
            return super().get_object()
        finally:  # also where it is another version than was asked for: that tells something of it
            if self.looked_at is not None:
                self.cluster_reached(_cluster_of(self.looked_at))

    def rows_listed(self, rows: Sequence[Any]) -> None:
        super().rows_listed(rows)
        for row in rows:
            if _may_be_broken(row, by=self.request.user):
                self.cluster_reached(_cluster_of(row))

    def cluster_reached(self, key: UUID | None) -> None:
        """Notes that this request has to do with the cluster."""
        if key is not None:
            self.__dict__.setdefault("_clusters_reached", set()).add(key)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        reached = self.__dict__.pop("_clusters_reached", set())
        # by is_staff, not by what the token leaves of that: the role that the glass gave holds with any token
        if reached and isinstance(request, Request) and isinstance(request.user, User) and request.user.is_staff:
            note = partial(
                break_glass_use_record,
                actor=actor_of(request),
                clusters=reached,
                request=f"{request.method} {request.path}",
                status=answer.status_code,
                now=timezone.now(),
            )
            self.keep(note)
        return answer


def _may_be_broken(row: Model, *, by: Any) -> bool:
    """Whether the glass may be broken by this user: the row may have it with it, else it is looked up."""
    fetched: Sequence[RoleBinding] | None = getattr(row, "glass_broken", None)
    return fetched is None or any(grant.user_id == by.pk for grant in fetched)


def _cluster_of(row: Model) -> UUID | None:
    if isinstance(row, VirtualCluster):
        return row.pk
    of: UUID | None = getattr(row, "virtual_cluster_id", None)
    return of
