"""Long lists in pages of 50, with the filters kept in the address."""

from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

SIZE: Final = 50

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Paged(Generic[M]):
    """One page of rows, and the addresses of its neighbours; empty where there is none."""

    page: Page[M]
    newer: str
    older: str


def paged(request: HttpRequest, rows: QuerySet[M]) -> Paged[M]:
    """The page that `?page=` names; the nearest there is for any other text."""
    page = Paginator(rows, SIZE).get_page(request.GET.get("page"))
    return Paged(
        page=page,
        newer=_address(request, page.previous_page_number()) if page.has_previous() else "",
        older=_address(request, page.next_page_number()) if page.has_next() else "",
    )


def filtered(request: HttpRequest, **given: Any) -> str:
    """This page's address with these filters, from its beginning; an empty one is taken out."""
    query = request.GET.copy()
    query.pop("page", None)
    for name, value in given.items():
        query.pop(name, None)
        if value:
            query[name] = str(value)
    return f"{request.path}?{query.urlencode()}" if query else request.path


def _address(request: HttpRequest, number: int) -> str:
    query = request.GET.copy()
    query["page"] = str(number)
    return f"{request.path}?{query.urlencode()}"
