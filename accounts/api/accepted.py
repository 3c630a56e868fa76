"""The answer to a request whose work goes on after it: 202, and where to watch."""

from typing import Any

from rest_framework import status
from rest_framework.response import Response

RETRY_AFTER_SECONDS = 1


def accepted(body: dict[str, Any], *, operation_url: str) -> Response:
    """202 with Operation-Location and Retry-After. `body` holds `operation` and, where there is one, the object."""
    headers = {"Operation-Location": operation_url, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)
