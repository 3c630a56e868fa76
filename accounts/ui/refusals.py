"""A page that says in two sentences why something cannot be done."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.errors import MarinaError

P = ParamSpec("P")

_HEADLINES: Final = {403: "You may not do this", 404: "There is no such page", 409: "This cannot be done now"}


def refusal(request: HttpRequest, headline: str, detail: str, *, status: int) -> HttpResponse:
    """Says it, and leads back to the sign-in page or to one's account."""
    return render(request, "marina/refused.html", {"headline": headline, "detail": detail}, status=status)


def refusals_shown(
    view: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """For a page's view: what a service refuses is such a page, with the service's own sentence and hint."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except MarinaError as error:
            headline = _HEADLINES.get(error.status, "This cannot be done")
            return refusal(request, headline, f"{error} {error.hint}".strip(), status=error.status)

    return answer
