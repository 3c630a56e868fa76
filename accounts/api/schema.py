"""What the OpenAPI document says of every operation alike: how to sign in, and how it refuses."""

import re
from collections.abc import Iterator
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from accounts.api.dry_run import PARAMETER as DRY_RUN
from accounts.api.dry_run import DryRun
from accounts.api.preconditions import has_version
from accounts.api.problems import CONTENT_TYPE
from accounts.api.since import HEADER as REVISION_HEADER
from accounts.api.sparse_fields import PARAMETER as FIELDS
from accounts.api.sparse_fields import SparseFields


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


class GoneSerializer(serializers.Serializer[Any]):
    """An object that is not in a list any more."""

    id = serializers.UUIDField()
    deleted_at = serializers.DateTimeField()


_SAFE: Final = ("GET", "HEAD")
_PRECONDITIONED: Final = ("PUT", "PATCH", "DELETE")
_DRY_RUN: Final = OpenApiParameter(
    DRY_RUN, bool, description="Checks everything and answers as the change would, then undoes it; nothing starts."
)
_IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="For 24 hours the same key with the same request gets the first answer, and nothing is done again.",
)
_IF_MATCH: Final = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of what you have seen, in quotes; * for any."
)
_SINCE: Final = OpenApiParameter(
    "since",
    str,
    description=f"Answers at once with what changed since this revision: one that an answer or the header "
    f"{REVISION_HEADER} of a list told.",
)
_FIELDS: Final = OpenApiParameter(
    FIELDS,
    str,
    description="Names of fields, like `name,created_at`: of each object only these are answered, and its `id`. "
    "Without it all of them.",
)
_REFUSALS: Final = {
    "400": "What was sent is not accepted; `errors` names each field.",
    "401": "Nobody signed in, or the token is not valid any more.",
    "403": "You see the object but may not do this; `hint` names the roles that may.",
    "406": "Marina answers with JSON only.",
    "404": "There is no such object, or none that you may see.",
    "409": "The object's present state forbids it.",
    "410": "It was there, and is not given out a second time; a list: what changed is forgotten, list anew.",
    "412": "The object changed since you read it (If-Match).",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests; see Retry-After.",
    "503": "Another service that this needs cannot be asked now: the issuer of the token, the storage of exports.",
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

    def get_override_parameters(self) -> list[Any]:
        """Those that every change, and every list that tells its changes, takes."""
        given = [each for each in super().get_override_parameters() if isinstance(each, OpenApiParameter)]
        known = {each.name for each in given}
        return given + [each for each in self._further_parameters() if each.name not in known]

    def _further_parameters(self) -> Iterator[OpenApiParameter]:
        if self.method not in _SAFE and isinstance(self.view, DryRun):
            yield _DRY_RUN
        if self._idempotent():
            yield _IDEMPOTENCY_KEY
        if self._versioned() and self.method in _PRECONDITIONED:
            yield _IF_MATCH
        if self._tells_changes():
            yield _SINCE
        if isinstance(self.view, SparseFields) and self.view.selects_fields:
            yield _FIELDS

    def _idempotent(self) -> bool:
        return bool(getattr(getattr(self.view, getattr(self.view, "action", "") or "", None), "idempotent", False))

    def _versioned(self) -> bool:
        """Whether the address is one of an object that has an ETag."""
        if "{" not in self.path or not hasattr(self.view, "get_queryset"):
            return False
        return has_version(self.view.get_queryset().model)

    def _tells_changes(self) -> bool:
        return getattr(self.view, "action", "") == "list" and bool(getattr(self.view, "changes", None))

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        for status in self._refusals():
            body = {"description": _REFUSALS[status], "content": {CONTENT_TYPE: {"schema": problem}}}
            bodies.setdefault(status, body)
        if self._tells_changes():
            self._tell_changes(bodies["200"]["content"]["application/json"])
        return bodies

    def _tell_changes(self, content: dict[str, Any]) -> None:
        """A list answers with a page, or where `since` was sent with what changed."""
        row = self.resolve_serializer(self.view.get_serializer_class(), "response")  # type: ignore[attr-defined]
        gone = self.resolve_serializer(GoneSerializer, "response").ref
        properties = {
            "results": {"type": "array", "items": row.ref, "description": "Changed or new, as they are now."},
            "deleted": {"type": "array", "items": gone, "description": "No longer there, or no longer in sight."},
            "revision": {"type": "string", "description": "What to send as `since` next time."},
            "more": {"type": "boolean", "description": "Whether more is there already; else see Retry-After."},
        }
        name = f"{row.name}Changes"
        self.registry.register_on_missing(
            ResolvedComponent(  # type: ignore[no-untyped-call]
                name=name,
                type=ResolvedComponent.SCHEMA,
                object=name,
                schema={"type": "object", "properties": properties, "required": list(properties)},
            )
        )
        content["schema"] = {"anyOf": [content["schema"], {"$ref": f"#/components/schemas/{name}"}]}

    def _refusals(self) -> list[str]:
        action = getattr(self.view, "action", "")
        found = ["400", "401", "406", "429"]
        if self.method not in _SAFE:
            found += ["403", "409"]
        if self.method in ("POST", "PUT", "PATCH"):
            found += ["413", "415"]
        if self._idempotent():
            found += ["422"]
        if "{" in self.path:
            found += ["404"]
        if self._versioned() and self.method in _PRECONDITIONED:
            found += ["412"]
        if self._tells_changes():
            found += ["410"]
        return [*found, *getattr(self.view, "further_refusals", {}).get(action, ())]


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
