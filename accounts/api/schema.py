"""What the OpenAPI document says of every operation alike: how to sign in, and how it refuses."""

import re
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from accounts.api.problems import CONTENT_TYPE


class ProblemErrorSerializer(serializers.Serializer[Any]):
    """One field that was refused."""

    field = serializers.CharField(help_text="The field's path as it was sent, or the header's or parameter's name.")
    message = serializers.CharField()
    accepted = serializers.CharField(help_text="What would be accepted; may be empty.")


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="For programs.")
    detail = serializers.CharField(help_text="A sentence for people.")
    hint = serializers.CharField(help_text="What to do about it; may be empty.")
    errors = ProblemErrorSerializer(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()
    operation_id = serializers.UUIDField(
        required=False, help_text="409 only: the operation that stands in the way, if one does."
    )


_REFUSALS: Final = {
    "400": "What was sent is not accepted; `errors` names each field.",
    "401": "Nobody signed in, or the token is not valid any more.",
    "403": "You see the object but may not do this; `hint` names the roles that may.",
    "404": "There is no such object, or none that you may see.",
    "409": "The object's present state forbids it.",
    "410": "It was there, and is not given out a second time.",
    "412": "The object changed since you read it (If-Match).",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests; see Retry-After.",
    "503": "The issuer of the token cannot be asked now.",
}


class MarinaSchema(AutoSchema):
    """Adds a summary and the refusals to each operation."""

    def get_summary(self) -> str:
        """The description's first sentence, by which a list of operations can be read."""
        if getattr(self.view, "action", "") == "retrieve":
            # described by its noun, as the list is: both would read alike
            return f"One {self._noun()} by its id"
        return re.split(r"\.(?:\s|\Z)", " ".join(self.get_description().split()), maxsplit=1)[0]

    def _noun(self) -> str:
        model = self.view.get_queryset().model  # type: ignore[attr-defined]
        return str(model._meta.verbose_name)

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        for status in self._refusals():
            body = {"description": _REFUSALS[status], "content": {CONTENT_TYPE: {"schema": problem}}}
            bodies.setdefault(status, body)
        return bodies

    def _refusals(self) -> list[str]:
        found = ["400", "401"]
        if self.method not in ("GET", "HEAD"):
            found += ["403", "409"]
        if self.method in ("POST", "PUT", "PATCH"):
            found += ["415"]
        if "{" in self.path:
            found += ["404"]
        if "{" in self.path and self.method in ("PATCH", "DELETE"):
            found += ["412"]
        return [*found, *getattr(self.view, "further_refusals", {}).get(getattr(self.view, "action", ""), ())]


class AccessTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer mar_...`."""

    target_class = "accounts.api.authentication.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A personal access token, mar_PREFIX_SECRET."}


class PasswordScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Handle and password, for POST /access-tokens only."""

    target_class = "accounts.api.authentication.PasswordAuthentication"
    name = "password"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "basic", "description": "Handle and password; only to make a token."}
