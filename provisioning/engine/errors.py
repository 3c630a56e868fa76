"""How a step ends when it does not succeed: to be tried again, or not."""


class StepError(Exception):
    """A step did not succeed.

    `code` is for programs (stable, kebab-case), `message` is a sentence for people, `hint` says what they can do.
    None of them ever holds a credential.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint


class TemporaryError(StepError):
    """Trying again may help. `retry_after` is what the other side asked for, in seconds; None leaves it to us."""

    def __init__(self, message: str, *, code: str, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after = retry_after


class PermanentError(StepError):
    """Trying again cannot help: somebody has to change something first."""
