"""Pages of lists: by cursor, so that rows made meanwhile neither repeat nor hide any."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from accounts.api.field_errors import name_suggested
from accounts.errors import InvalidInput

if TYPE_CHECKING:  # REST framework's views import this module
    from rest_framework.views import APIView


class CreatedCursorPagination(CursorPagination):
    """Newest first unless asked otherwise; keys are UUIDv7, so they sort by time and are unique.

    A page size or cursor that makes no sense is refused (InvalidInput), not replaced by another.
    """

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size")
        if asked is None:
            return self.page_size
        if not asked.isascii() or not asked.isdigit() or not 1 <= int(asked[:9]) <= self.max_page_size:
            raise InvalidInput(
                "This page size cannot be had.", field="page_size", accepted=f"a number from 1 to {self.max_page_size}"
            )
        return int(asked)

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        except (NotFound, ValidationError, ValueError):
            raise InvalidInput(
                "This cursor leads nowhere.", field="cursor", accepted="what `next` or `previous` of a page said"
            ) from None


class StableOrdering(OrderingFilter):
    """`?ordering=name,-created_at`: only by what the view offers, and by id where those are equal."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: "APIView") -> Any:
        ordering = super().get_ordering(request, queryset, view)
        return (*ordering, "id") if ordering else ("-id",)

    def remove_invalid_fields(self, queryset: QuerySet[Any], fields: Any, view: "APIView", request: Request) -> Any:
        offered = [str(name) for name in getattr(view, "ordering_fields", ())]
        for name in fields:
            if name.removeprefix("-") not in offered:
                raise InvalidInput(
                    f"Lists cannot be ordered by {name[:40]!r} here.",
                    field="ordering",
                    accepted=name_suggested(name, offered),
                )
        return fields
