"""/audit-events"""

import json
from collections.abc import Iterator
from typing import Any, Final

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.audit_filters import AuditEventFilters
from accounts.api.resources import ListedResource
from accounts.audit_digests import row_content
from accounts.audit_reading import audit_events_visible_to, audit_require
from accounts.models import AuditEvent
from accounts.secret_names import secrets_removed

JSON_LINES: Final = "application/x-ndjson"
_ROWS_AT_ONCE: Final = 1000


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """Who did what to what, from where, with what result."""

    before = serializers.JSONField(read_only=True, help_text="What mattered of the object before; an object.")
    after = serializers.JSONField(read_only=True, help_text="The same after.")
    details = serializers.JSONField(read_only=True, help_text="What else is worth knowing; an object.")

    class Meta:
        model = AuditEvent
        fields = (
            "id",
            "created_at",
            "organization_id",
            "actor",
            "actor_id",
            "action",
            "object_kind",
            "object_id",
            "object_name",
            "result",
            "before",
            "after",
            "details",
            "token_prefix",
            "address",
            "source",
            "user_agent",
            "request_id",
        )
        read_only_fields = fields

    def to_representation(self, instance: AuditEvent) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return shown | {name: secrets_removed(shown[name]) for name in ("before", "after", "details")}


class JsonLinesRenderer(JSONRenderer):
    """What is asked for by its type; refusals are JSON all the same."""

    media_type = JSON_LINES
    format = "jsonl"


class AuditEventResource(ListedResource[AuditEvent]):
    """The audit log: for auditors and admins of an organization; rows of no organization for platform staff."""

    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilters
    search_fields = ("actor", "action", "object_name", "object_id")
    further_refusals = {"list": ("403",), "export": ("403",)}

    def visible(self) -> QuerySet[AuditEvent]:
        return audit_events_visible_to(self.user)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rows of the audit log, newest first."""
        self._reader_require(request)
        return super().list(request, *args, **kwargs)

    @extend_schema(
        filters=True,
        responses={(200, JSON_LINES): OpenApiResponse(OpenApiTypes.STR, description="One row a line, as JSON.")},
    )
    @action(detail=False, pagination_class=None, renderer_classes=[JsonLinesRenderer, JSONRenderer])
    def export(self, request: Request) -> StreamingHttpResponse:
        """All rows that the filters leave, oldest first, as JSON lines.

        Each line has the columns that the row's digest is made of, written as the digest has them.
        """
        self._reader_require(request)
        rows = self.filter_queryset(self.get_queryset()).order_by("id")
        answer = StreamingHttpResponse(_lines(rows), content_type=JSON_LINES)
        answer["Content-Disposition"] = 'attachment; filename="audit-events.jsonl"'
        return answer

    def _reader_require(self, request: Request) -> None:
        self._parameters_check(request)
        audit_require(self.user, request.query_params.get("organization", ""))


def _lines(rows: QuerySet[AuditEvent]) -> Iterator[bytes]:
    for event in rows.iterator(chunk_size=_ROWS_AT_ONCE):
        yield json.dumps(row_content(event), ensure_ascii=True).encode("ascii") + b"\n"
