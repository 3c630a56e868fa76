"""`?fields=name,phase`: of each object only what was asked for, and its id."""

from collections.abc import Sequence
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.errors import FieldError, InvalidInput

PARAMETER: Final = "fields"
_ALWAYS: Final = "id"
"""Without it an answer's objects could not be told apart, nor `deleted` of `since` be understood."""


class SparseFields(GenericViewSet[Any]):
    """For viewsets: their lists, also of changes, and their single objects know the parameter.

    Headers stay what they are: the ETag is that of the whole object.
    """

    _fields_asked: frozenset[str] | None = None

    @property
    def selects_fields(self) -> bool:
        """Whether the action at hand knows the parameter."""
        return getattr(self, "action", None) in ("list", "retrieve")

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.selects_fields and PARAMETER in request.query_params:
            self._fields_asked = _read(request.query_params.getlist(PARAMETER), self._fields_known())

    def _fields_known(self) -> list[str]:
        serializer: Any = self.get_serializer()
        return [name for name, field in serializer.fields.items() if not field.write_only]

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self._fields_asked is not None and isinstance(response, Response) and response.status_code == 200:
            response.data = self._selected(response.data, self._fields_asked)
        return super().finalize_response(request, response, *args, **kwargs)

    def _selected(self, data: Any, asked: frozenset[str]) -> Any:
        if self.action == "list":
            return {**data, "results": [_picked(row, asked) for row in data["results"]]}
        return _picked(data, asked)


def _read(values: Sequence[str], known: Sequence[str]) -> frozenset[str]:
    """Raises InvalidInput with a sentence for each name that is none, and all those that are."""
    asked = [name.strip() for value in values for name in value.split(",")]
    unknown = [name for name in dict.fromkeys(asked) if name not in known]
    if unknown:
        raise InvalidInput.of([_unknown(name, known) for name in unknown[:10]])
    return frozenset(asked)


def _unknown(name: str, known: Sequence[str]) -> FieldError:
    said = f"There is no field {name[:80]!r} here." if name else "The name of a field is missing."
    return FieldError(field=PARAMETER, message=said, accepted=f"of these, with commas between: {', '.join(known)}")


def _picked(row: Any, asked: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name in asked or name == _ALWAYS}
