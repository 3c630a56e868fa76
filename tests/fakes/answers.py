"""Answers of an API server that are no success, in the words of the real one."""

from typing import Any

from provisioning.drivers.kinds import Json, Kind


class Refusal(Exception):
    """Raised wherever a request is refused; the server sends `body()`."""

    def __init__(self, status: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}

    def body(self) -> Json:
        """A Status object."""
        status: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return {
            **status,
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.status,
        }


def resource(kind: Kind) -> str:
    """As messages name it."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def not_found(kind: Kind, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{resource(kind)} "{name}" not found')


def no_such_path(path: str) -> Refusal:
    return Refusal(404, "NotFound", f"the server could not find the requested resource: {path}")


def already_exists(kind: Kind, name: str) -> Refusal:
    return Refusal(409, "AlreadyExists", f'{resource(kind)} "{name}" already exists')


def conflict(kind: Kind, name: str, why: str) -> Refusal:
    return Refusal(409, "Conflict", f'Operation cannot be fulfilled on {resource(kind)} "{name}": {why}')


def invalid(kind: str, name: str, why: str) -> Refusal:
    return Refusal(422, "Invalid", f'{kind} "{name}" is invalid: {why}')


def terminating(kind: Kind, name: str, namespace: str) -> Refusal:
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
    message = f'{resource(kind)} "{name}" is forbidden: {why}'
    return Refusal(403, "Forbidden", message, {"causes": [cause]})


def unauthorized() -> Refusal:
    return Refusal(401, "Unauthorized", "Unauthorized")
