"""What the OpenAPI document says beyond each view's own words: headers, examples; and what would be missing."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from accounts.api.problems import CONTENT_TYPE, code_of

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ID: Final = "01a215d6-5a33-7c41-9f0e-6c1d2b7a9e10"
_TIME: Final = "2026-11-26T09:30:00Z"
_DEPTH: Final = 6

SAMPLES: Final[Mapping[str, Any]] = {
    "name": "payments",
    "display_name": "Payments",
    "handle": "vera",
    "email": "vera@example.com",
    "user": "vera",
    "owner": "vera",
    "admin": "vera",
    "team": "payments-team",
    "organization": "acme",
    "project": "acme/payments",
    "host": "harbor-east",
    "release": "hello",
    "workload": "StatefulSet/hello",
    "image": "ghcr.io/loft-sh/vcluster-oss:0.36.1",
    "namespace": "marina-hello-2b7a9e10",
    "namespaces": ["team-a"],
    "region": "eu-west",
    "labels": {"tier": "test"},
    "values": {},
    "size": "small",
    "exposure": "None",
    "kubernetes_version": "1.36",
    "chart_version": "0.36.1",
    "endpoint": "https://hello.example.com",
    "server": "https://harbor-east.example.com:6443",
    "level": "developer",
    "public_key": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=",
    "sealed": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",
    "token": "mar_k3v9x2ap_the-rest-is-shown-only-once",
    "prefix": "k3v9x2ap",
    "kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [...]\n",
    "expires_in": 3600,
    "revision": "81234",
    "more": False,
    "next": "https://marina.example.com/api/v1/virtual-clusters?cursor=cD0wMWEyMTVkNg%3D%3D",
    "previous": None,
    "capacity": {"cpu": 16000, "memory": 68719476736, "pods": 110},
    "concurrency": 8,
    "replicas": 1,
    "message": "The release is installed.",
    "reason": "Installed",
    "issuer": "https://ci.example.com",
    "audience": "https://marina.example.com",
    "claims": {"repository": "acme/shop", "ref": ["main", "release-*"]},
    "group": "developers",
    "service_account": "acme/payments/ci",
    "url": "https://hooks.example.com/marina",
    "event": "operation.*",
    "secret": "whsec_the-rest-is-shown-only-once",
    "link": "https://marina.example.com/invitations/the-rest-is-shown-only-once",
    "device_code": "the-program-keeps-this-to-itself",
    "user_code": "BCDF-GHJK",
    "client_name": "marina on vera's laptop",
    "actions": ["virtualcluster.view"],
    "minutes": 30,
}
"""What examples say, by a field's name; what is not here is made from its type."""

HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "X-Request-ID": {"description": "The request's id, which the log has too.", "schema": {"type": "string"}},
    "RateLimit-Limit": {"description": "Requests in a window.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "Of these, what is left.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until the next window.", "schema": {"type": "integer"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "Operation-Location": {"description": "Where to watch the work.", "schema": {"type": "string"}},
    "Location": {"description": "The new object's address.", "schema": {"type": "string"}},
    "ETag": {"description": "The object's version, for If-Match.", "schema": {"type": "string"}},
    "Marina-Dry-Run": {"description": "`true` where nothing was done.", "schema": {"type": "string"}},
    "X-Marina-Revision": {"description": "From where to go on with `since`.", "schema": {"type": "string"}},
}
_ALWAYS: Final = ("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def document_complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's hook: adds examples and headers to every operation."""
    examples = _Examples(result.get("components", {}).get("schemas", {}))
    result.setdefault("components", {})["headers"] = dict(HEADERS)
    refused: set[str] = set()
    for _, operation in operations_of(result):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content.setdefault("example", examples.of(content["schema"]))
        for status, response in operation["responses"].items():
            response["description"] = response.get("description") or HTTPStatus(int(status)).phrase
            response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in _names(operation, status)}
            for kind, content in response.get("content", {}).items():
                if kind == CONTENT_TYPE:
                    refused.add(status)
                    content["examples"] = {"refusal": {"$ref": f"#/components/examples/Refusal{status}"}}
                else:
                    content.setdefault("example", examples.of(content["schema"]))
    made = {f"Refusal{status}": {"value": problem_example(int(status))} for status in sorted(refused)}
    result["components"]["examples"] = made
    return result


def _names(operation: Mapping[str, Any], status: str) -> Iterator[str]:
    yield from _ALWAYS
    parameters = {each["name"] for each in operation.get("parameters", ())}
    if status in ("202", "429"):
        yield "Retry-After"
    if status == "202":
        yield "Operation-Location"
    if status == "201":
        yield "Location"
    if status[0] == "2" and "dry_run" in parameters:
        yield "Marina-Dry-Run"
    if status[0] == "2" and "If-Match" in parameters and status != "204":
        yield "ETag"
    if status == "200" and "since" in parameters:
        yield "X-Marina-Revision"


def operations_of(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation, called like `GET /api/v1/projects`."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def problem_example(status: int) -> dict[str, Any]:
    """A refusal with this status."""
    wrong = {"field": "name", "message": "This field is required.", "accepted": "a name"}
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code_of(status),
        "detail": "What is wrong, in a sentence.",
        "hint": "What to do about it.",
        "errors": [wrong] if status == 400 else [],
        "request_id": _ID,
    }


class _Examples:
    """Made from schemas, so that each fits its own."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def of(self, schema: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
        if "$ref" in schema:
            return self.of(self._schemas[schema["$ref"].rpartition("/")[2]], name, depth)
        for word in ("example", "default", "const"):
            if schema.get(word) is not None:
                return schema[word]
        if "enum" in schema:
            return next((value for value in schema["enum"] if value not in ("", None)), None)
        for several in ("oneOf", "anyOf", "allOf"):
            if several in schema:
                return self.of(schema[several][0], name, depth)
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        types = schema.get("type", "object" if "properties" in schema else "")
        types = [types] if isinstance(types, str) else list(types)
        if "null" in types and depth > 1 and name not in SAMPLES:
            return None
        kind = next((each for each in types if each != "null"), "object")
        if kind == "object" and "properties" in schema:
            return self._object(schema["properties"], depth)
        sample = SAMPLES.get(name)
        if sample is not None and _is(sample, kind) and schema.get("format") not in ("uuid", "date-time"):
            return sample
        return self._plain(kind, schema, name, depth)

    def _object(self, properties: Mapping[str, Any], depth: int) -> dict[str, Any]:
        if depth > _DEPTH:
            return {}
        return {key: self.of(inner, key, depth + 1) for key, inner in properties.items()}

    def _plain(self, kind: str, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        match kind:
            case "array":
                return [] if depth > _DEPTH else [self.of(schema.get("items", {}), name.removesuffix("s"), depth + 1)]
            case "integer":
                return max(1, int(schema.get("minimum", 1)))
            case "number":
                return 1.5
            case "boolean":
                return False
            case "object":
                return {}
        formats = {"uuid": _ID, "date-time": _TIME, "uri": "https://example.com", "email": "vera@example.com"}
        return formats.get(schema.get("format", ""), name.replace("_", " ") or "text")


def _is(value: Any, kind: str) -> bool:
    expected: dict[str, type] = {"string": str, "integer": int, "array": list, "object": dict, "boolean": bool}
    return isinstance(value, expected.get(kind, object))


# --- what is missing -------------------------------------------------------------------------------------------------


def document_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """What somebody who reads the document, or makes a client of it, would miss; a sentence each."""
    seen: dict[str, str] = {}
    for label, operation in operations_of(document):
        name = operation.get("operationId", "")
        if not name or name in seen:
            yield f"{label}: its operationId {name!r} is missing, or that of {seen.get(name)} too."
        seen[name] = label
        for word in ("summary", "description"):
            if not operation.get(word, "").strip():
                yield f"{label}: it has no {word}; write a docstring."
        yield from _answer_faults(label, operation)
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if "example" not in content and "examples" not in content:
                yield f"{label}: its body ({kind}) has no example."


def _answer_faults(label: str, operation: Mapping[str, Any]) -> Iterator[str]:
    answers = operation["responses"]
    for status in ("400", "401", "429"):
        if status not in answers:
            yield f"{label}: it does not say that it may answer {status}; let its view have MarinaSchema."
    if not any(status[0] == "2" for status in answers):
        yield f"{label}: it says no answer of success."
    for status, answer in answers.items():
        if not answer.get("description"):
            yield f"{label}: its answer {status} has no description."
        if status != "204" and not answer.get("content"):
            yield f"{label}: its answer {status} has no body; say which."
        for kind, content in answer.get("content", {}).items():
            if "example" not in content and "examples" not in content:
                yield f"{label}: its answer {status} ({kind}) has no example."
            if status[0] == "4" and kind != CONTENT_TYPE:
                yield f"{label}: its answer {status} is no {CONTENT_TYPE}."
