"""What Marina says when it cannot do what was asked.

Every error of a service, selector or rule is one of these. Each carries a code for programs and a sentence for people;
the API turns them into problem+json, pages and commands show the sentence and the hint.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One thing that is wrong with one field of what somebody sent."""

    field: str
    """The field's path as the sender wrote it, for example `kubeconfig.users[admin].user.exec`."""

    message: str
    """A sentence that says what was wrong. Never quotes a secret."""

    accepted: str = ""
    """What would be accepted instead; empty where nothing but leaving the field out would be."""


class MarinaError(Exception):
    """An error with a sentence for the person who asked. `str(error)` is that sentence."""

    code: str = "error"
    status: int = 500

    def __init__(self, message: str, *, hint: str = "", field: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        if code:
            self.code = code

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code!r}, field={self.field!r})"


class InvalidInput(MarinaError):
    """What was sent cannot be accepted as it is. `errors` names each field; the first gives `field` and `message`."""

    code = "invalid"
    status = 400

    def __init__(
        self,
        message: str,
        *,
        field: str,
        accepted: str = "",
        hint: str = "",
        errors: Iterable[FieldError] = (),
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        self.accepted = accepted
        self.errors: tuple[FieldError, ...] = tuple(errors) or (
            FieldError(field=field, message=message, accepted=accepted),
        )

    @classmethod
    def of(cls, errors: Iterable[FieldError], *, hint: str = "") -> Self:
        """One error for several fields. `errors` must hold at least one."""
        found = tuple(errors)
        first = found[0]
        return cls(first.message, field=first.field, accepted=first.accepted, hint=hint, errors=found)


class NotAuthenticated(MarinaError):
    """Nobody known asks: what was sent to say who it is opens nothing (any more)."""

    code = "unauthenticated"
    status = 401


class NotAllowed(MarinaError):
    """The person may see the object but not do this to it; the sentence or hint names the role that it takes."""

    code = "forbidden"
    status = 403

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        field: str = "",
        code: str = "",
        action: str = "",
        subject: object | None = None,
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        # for the audit log: which action of the role table was asked for, and on what
        self.action = action
        self.subject = subject


class NotFound(MarinaError):
    """There is no such object, or none that this person may see: the answer is the same on purpose."""

    code = "not-found"
    status = 404


class Conflict(MarinaError):
    """The object's present state forbids it. `operation_id` names the operation that stands in the way, if one does."""

    code = "conflict"
    status = 409

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        operation_id: UUID | None = None,
        field: str = "",
        code: str = "",
    ) -> None:
        super().__init__(message, hint=hint, field=field, code=code)
        self.operation_id = operation_id


class PreconditionFailed(MarinaError):
    """The object changed since the sender read it (`If-Match`)."""

    code = "precondition-failed"
    status = 412


class Gone(MarinaError):
    """It was there, and is not given out a second time."""

    code = "gone"
    status = 410
