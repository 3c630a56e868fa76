"""Errors as RFC 9457 problem details: one shape for every refusal of the API, also where Django itself refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from accounts.access import UNSEEN
from accounts.api.actor import request_id_of
from accounts.api.field_errors import field_errors_of
from accounts.api.rates import rate_note, stranger
from accounts.api.refusals import request_refused
from accounts.errors import Conflict, FieldError, InvalidInput, MarinaError
from accounts.spans import span_words

CONTENT_TYPE: Final = "application/problem+json"
API_PREFIX: Final = "/api/"

_CODES: Final[Mapping[int, str]] = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    410: "gone",
    412: "precondition-failed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "idempotency-key-reused",
    429: "throttled",
    500: "internal",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a refusal says."""

    status: int
    detail: str
    code: str = ""
    hint: str = ""
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, str] = field(default_factory=dict)
    """Further members of the body, for one code."""

    def body(self, request_id: str) -> dict[str, Any]:
        """The body of the answer. `code` tells programs what `title` and `detail` tell people."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code or code_of(self.status),
            "detail": _sendable(self.detail),
            "hint": self.hint,
            "errors": [
                {"field": _sendable(each.field), "message": _sendable(each.message), "accepted": each.accepted}
                for each in self.errors
            ],
            "request_id": request_id,
            **self.members,
        }


def code_of(status: int) -> str:
    """For programs: what a status is called where the error itself has no name."""
    return _CODES.get(status, "error")


def _sendable(text: str) -> str:
    # a sentence may quote what was sent: JSON can carry halves of surrogate pairs, which UTF-8 cannot, and NUL, which
    # no column of PostgreSQL keeps
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """REST framework's hook. None (so that it goes on to the 500 page) for what is nobody's request's fault."""
    request = context["request"]
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        # REST framework's own count comes after this refusal: who tries tokens would not be counted at all
        verdict = rate_note(request, who=stranger(request))
        if verdict and verdict.exceeded:
            exc = exceptions.Throttled(verdict.reset)
    problem = problem_of(exc)
    if problem is None or isinstance(exc, MarinaError):
        _refusal_keep(exc, context.get("view"), request)
    if problem is None:
        return None
    body = problem.body(request_id_of(request))
    return Response(body, status=problem.status, headers=dict(problem.headers), content_type=CONTENT_TYPE)


def _refusal_keep(exc: Exception, view: Any, request: Any) -> None:
    """Recorded after whatever undoes what the request did; else that would undo the record too."""
    record = partial(request_refused, exc, view=view, request=request)
    keep = getattr(view, "keep", None)  # as accounts.api.dry_run.DryRun has it
    if keep is None:
        record()
    else:
        keep(record)


def problem_of(exc: Exception) -> Problem | None:
    """The problem that tells of this error, or None where the error is not one to tell."""
    match exc:
        case MarinaError():
            return problem_of_marina(exc)
        case Http404():
            return Problem(status=404, detail=UNSEEN)
        case PermissionDenied():
            return Problem(status=403, detail="You may not do this.")
        case RequestDataTooBig():
            return Problem(status=413, detail=f"A body may have {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes at most.")
        case exceptions.ValidationError():
            errors = tuple(field_errors_of(exc.detail))
            return Problem(status=400, detail=errors[0].message if errors else "Not accepted.", errors=errors)
        case exceptions.APIException():
            return _of_framework(exc)
    return None


def problem_of_marina(exc: MarinaError) -> Problem:
    """The problem that tells of one of Marina's own errors."""
    errors: tuple[FieldError, ...] = ()
    if isinstance(exc, InvalidInput):
        errors = exc.errors
    elif exc.field:
        errors = (FieldError(field=exc.field, message=exc.message),)
    operation = exc.operation_id if isinstance(exc, Conflict) else None
    return Problem(
        status=exc.status,
        code=exc.code,
        detail=exc.message,
        hint=exc.hint,
        errors=errors,
        members={"operation_id": str(operation)} if operation else {},
    )


def _of_framework(exc: exceptions.APIException) -> Problem:
    detail, code, headers = str(exc.detail), "", {}
    if header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = header
    match exc:
        case exceptions.NotFound():
            detail = UNSEEN
        case exceptions.NotAuthenticated():
            detail = "Sign in first: send an access token in the header `Authorization: Bearer ...`."
        case exceptions.ParseError():
            code = "malformed"
        case exceptions.Throttled():
            wait = max(1, round(getattr(exc, "wait", None) or 1))
            headers["Retry-After"] = str(wait)
            detail = f"Too many requests. Try again in {span_words(wait)}."
    return Problem(status=exc.status_code, code=code, detail=detail, headers=headers)


# --- where Django refuses before, or fails after, a view of the API ---------------------------------------------------


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: below /api/ a problem, elsewhere the ordinary page."""
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return problem_answer(
        request, Problem(status=404, detail=f"There is nothing at {request.path}.", hint="See /api/v1/docs.")
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return problem_answer(request, Problem(status=400, code="malformed", detail="The request could not be read."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: says the request's id, by which the log has the cause, and nothing of the inside."""
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    hint = "Try again. If it stays, tell the platform team the request id: the log has the cause under it."
    return problem_answer(
        request, Problem(status=500, detail="Marina failed to answer; it is not your fault.", hint=hint)
    )


def problem_answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    """The problem as an answer, where no view of the API is at work."""
    return JsonResponse(problem.body(request_id_of(request)), status=problem.status, content_type=CONTENT_TYPE)
