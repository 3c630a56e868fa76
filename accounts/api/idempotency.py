"""`Idempotency-Key`: a POST that is sent again, because its answer was lost, does not act again."""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from django.db import transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.actor import user_of
from accounts.api.dry_run import dry_run_asked
from accounts.errors import InvalidInput
from accounts.services.idempotency import Claim, idempotent_request_answer, idempotent_request_claim

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"^[\x21-\x7e]{1,128}$")
_KEPT_HEADERS: Final = ("Location", "Operation-Location", "Retry-After", "ETag")

P = ParamSpec("P")
V = TypeVar("V")


def idempotent(
    handler: Callable[Concatenate[V, Request, P], Response],
) -> Callable[Concatenate[V, Request, P], Response]:
    """For a view's method: a second request with the same key and body gets the first one's answer.

    The answer is stored in the transaction of the change, so both are there or neither. Requests with the same key that
    run at once wait for the first. Only answers below 400 are kept: a refused request may be corrected and sent again.
    """

    @wraps(handler)
    def answer(view: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not _KEY.match(key):
            raise InvalidInput(
                "The header Idempotency-Key could not be used.",
                field=HEADER,
                accepted="1 to 128 visible ASCII characters, for example a UUID",
            )
        if dry_run_asked(request):
            return handler(view, request, *args, **kwargs)  # the key stays free for the request in earnest
        with transaction.atomic():
            claim = idempotent_request_claim(user=user_of(request), key=key, fingerprint=_fingerprint(request))
            if claim.answer is not None:
                return Response(claim.answer.body, status=claim.answer.status, headers=claim.answer.headers)
            response = handler(view, request, *args, **kwargs)
            _keep(claim, response)
            return response

    answer.idempotent = True  # type: ignore[attr-defined]  # for the OpenAPI document, and the test that walks all POSTs
    return answer


def _fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, ensure_ascii=True)
    asked = f"{request.method} {request.get_full_path()}\n{body}"
    limits = user_of(request).limits
    if limits is not None:
        # what a wider token of the same person was answered is not for this one
        asked += f"\nby token {limits.token}"
    return hashlib.sha256(asked.encode()).hexdigest()


def _keep(claim: Claim, response: Response) -> None:
    if response.status_code >= 400:
        transaction.set_rollback(True)
        return
    headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
    body: Any = None if response.data is None else json.loads(JSONRenderer().render(response.data))
    idempotent_request_answer(claim=claim, status=response.status_code, body=body, headers=headers)
