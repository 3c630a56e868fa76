"""Each request has an id: the client's own or a new one. It stands in the answer, in problems and in every log line."""

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from uuid6 import uuid7

_ACCEPTED = re.compile(r"^[A-Za-z0-9_.:-]{1,128}$")


class RequestIdMiddleware:
    """Takes X-Request-ID when it is plain text of at most 128 characters, else makes a UUIDv7."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _ACCEPTED.match(given) else str(uuid7())
        request.META["marina.request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response
