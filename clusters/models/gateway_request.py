"""The record of single requests through the gateway, as far as their project wants one."""

import secrets
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models


def first_id_at(moment: datetime) -> UUID:
    """The least UUIDv7 of this millisecond: rows from then on have no lower one, so the key finds a span of time."""
    return UUID(int=_milliseconds(moment) << 80 | 0x7 << 76 | 0x2 << 62)


def request_id_at(moment: datetime) -> UUID:
    """A new UUIDv7 of this millisecond."""
    return UUID(int=first_id_at(moment).int | secrets.randbits(12) << 64 | secrets.randbits(62))


def _milliseconds(moment: datetime) -> int:
    return max(0, min(int(moment.timestamp() * 1000), 2**48 - 1))


class GatewayRequest(models.Model):
    """One request: who did what inside which cluster. Plain columns: it outlives what it speaks of.

    Never a body, a header or a query: they may hold secrets. `id` is made of `at` (request_id_at).
    """

    id = models.UUIDField(primary_key=True, editable=False)
    at = models.DateTimeField(help_text="When the request came.")
    organization_id = models.UUIDField()
    project_id = models.UUIDField()
    cluster_id = models.UUIDField()
    cluster = models.CharField(max_length=130, help_text="organization/project/name, as it was then.")
    user_id = models.UUIDField()
    user = models.CharField(max_length=100, help_text="The handle.")
    by_token = models.CharField(max_length=60, help_text="The kind of token, and what names it. No secret.")
    access = models.CharField(max_length=10, help_text="admin or view: what the person had inside.")
    broken_glass = models.BooleanField(default=False, help_text="By platform staff who broke the glass.")
    acting_as = models.CharField(max_length=253, blank=True, help_text="The user that `--as` asked for.")
    # what the database gives itself is for gateways of the version before, while they are replaced
    acting_as_uid = models.CharField(
        max_length=253, blank=True, default="", db_default="", help_text="The uid that `--as-uid` asked for."
    )
    acting_as_groups = models.JSONField(
        blank=True, default=list, db_default=[], help_text="The groups that `--as-group` asked for."
    )
    acting_as_extras = models.JSONField(
        blank=True,
        default=list,
        db_default=[],
        help_text="Keys of the extras that were asked for. Their values may be secrets.",
    )
    verb = models.CharField(max_length=20)
    group = models.CharField(max_length=253, blank=True)
    version = models.CharField(max_length=63, blank=True)
    resource = models.CharField(max_length=100, blank=True)
    subresource = models.CharField(max_length=100, blank=True)
    namespace = models.CharField(max_length=253, blank=True)
    name = models.CharField(max_length=253, blank=True)
    path = models.CharField(max_length=300, blank=True, help_text="Of what is no resource, such as /version.")
    status = models.PositiveSmallIntegerField(help_text="Of the answer; 0: it broke off before there was one.")
    refused_for = models.CharField(
        max_length=40,
        blank=True,
        help_text="Why the gateway itself refused it; empty: the cluster's API server answered.",
    )
    seconds = models.FloatField(help_text="Until the answer began.")
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering: ClassVar[list[Any]] = ["-id"]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["cluster_id", "-id"], name="gateway_request_cluster"),
            models.Index(fields=["project_id", "-id"], name="gateway_request_project"),
            models.Index(fields=["organization_id", "-id"], name="gateway_request_organization"),
            models.Index(fields=["user_id", "-id"], name="gateway_request_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.verb} {self.resource or self.path} {self.name}".strip()
