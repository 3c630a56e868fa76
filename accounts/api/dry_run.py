"""`?dry_run=true`: a change is carried out in a transaction that is then undone, and answered as it would have been."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeVar

from django.db import transaction
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.field_errors import name_suggested
from accounts.errors import InvalidInput

PARAMETER: Final = "dry_run"
HEADER: Final = "Marina-Dry-Run"
PLACEHOLDER: Final = "not-made-in-a-dry-run"
"""Stands for a secret: what was made is undone, and none is given out."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_VALUES: Final = {"true": True, "1": True, "false": False, "0": False}
_OF_WHAT_WILL_NOT_BE: Final = ("Location", "Operation-Location", "Retry-After", "ETag")

R = TypeVar("R", bound=HttpResponseBase)


def dry_run_asked(request: Any) -> bool:
    """Whether this request is only to be tried. What cannot be undone (a mail, a call elsewhere) asks this."""
    values = request.GET.getlist(PARAMETER)
    return request.method not in _SAFE and any(_VALUES.get(value, False) for value in values)


def flag_given(request: Request, name: str) -> bool:
    """A query parameter that says yes or no; no where it is not there. InvalidInput for anything else."""
    values = request.query_params.getlist(name)
    if any(value not in _VALUES for value in values):
        raise InvalidInput("This is neither yes nor no.", field=name, accepted="true or false")
    return any(_VALUES[value] for value in values)


class DryRun(APIView):
    """For views that change something.

    Nothing of a dry run stays: no row, no audit event of a change, no Idempotency-Key. Nothing is sent either, since
    that waits for the commit. Access, validation and conflicts are as in earnest; that something was refused to
    somebody who may not do it, or was reached by broken glass, is recorded all the same.
    """

    secret_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of answers that hold a secret, of which a dry run gives a placeholder."""

    change_parameters: ClassVar[tuple[str, ...]] = ()
    """Query parameters, beside dry_run, that changes of this noun know."""

    _kept: list[Callable[[], None]] | None = None

    def keep(self, write: Callable[[], None]) -> None:
        """Writes what is to stay whatever becomes of the request: at once, or after what can be undone is over."""
        if self._kept is None:
            write()
        else:
            self._kept.append(write)

    @contextmanager
    def undoable(self) -> Iterator[None]:
        """A transaction that the view may undo as a whole; what it keeps is written afterwards."""
        outermost = self._kept is None
        if outermost:
            self._kept = []
        try:
            with transaction.atomic():
                yield
        finally:
            if outermost:
                kept, self._kept = self._kept or [], None
                for write in kept:
                    write()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in _SAFE:
            self._change_parameters_check(request)

    def _change_parameters_check(self, request: Request) -> None:
        # a misspelt dry_run would otherwise be done in earnest
        known = (PARAMETER, *self.change_parameters)
        for name in request.query_params:
            if name not in known:
                raise InvalidInput(
                    "There is no such parameter here.", field=name[:80], accepted=name_suggested(name, known)
                )
        flag_given(request, PARAMETER)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not dry_run_asked(request):
            return super().dispatch(request, *args, **kwargs)
        with self.undoable():
            response = super().dispatch(request, *args, **kwargs)
            transaction.set_rollback(True)
        return self._tried(response)

    def _tried(self, response: R) -> R:
        response[HEADER] = "true"
        for name in _OF_WHAT_WILL_NOT_BE:
            if response.has_header(name) and response.status_code < 400:
                del response[name]
        if isinstance(response, Response) and isinstance(response.data, dict):
            for name in self.secret_fields:
                if name in response.data:
                    several = isinstance(response.data[name], list)
                    response.data[name] = [PLACEHOLDER] if several else PLACEHOLDER
        return response
