"""Several objects that were refused, told together: one refusal keeps nothing else from being done."""

from collections.abc import Sequence
from typing import Final

from provisioning.engine.errors import PermanentError, StepError, TemporaryError
from provisioning.moving.telling import counted_told

NO_ANSWER: Final = frozenset({"unreachable", "timeout", "certificate", "unauthorized"})
"""Codes of errors that say nothing of one object."""
TOLD: Final = 3


def refused_together(refused: Sequence[tuple[str, StepError]]) -> StepError:
    """Of at least one, each with its name: a TemporaryError where another try may help any of them."""
    told = " ".join(f"{name}: {error.message}" for name, error in refused[:TOLD])
    message = f"{counted_told(len(refused), 'object')} cannot be started again. {told}"
    later = [error for _, error in refused if isinstance(error, TemporaryError)]
    if later:
        return TemporaryError(message, code=later[0].code, hint=later[0].hint)
    first = refused[0][1]
    return PermanentError(message, code=first.code, hint=first.hint)
