"""One API server without its network: requests in, answers out."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from provisioning.drivers.kinds import (
    CLUSTER_ROLE,
    KINDS,
    NAMESPACE,
    SERVICE_ACCOUNT,
    Json,
    Kind,
)
from tests.fakes import answers
from tests.fakes.access import Access, User, Wish
from tests.fakes.admission import admission_require
from tests.fakes.controllers import Controllers
from tests.fakes.discovery import discovery
from tests.fakes.matching import fields_match, labels_match
from tests.fakes.store import Store, Stored

VERSION = "1.36.3"
_BY_PATH = {(kind.api_version, kind.plural): kind for kind in KINDS.values()}
_SHORTEST_TOKEN = 600
_WITHOUT_RIGHTS = ("version", "readyz", "livez")
_REVIEWS = {"selfsubjectaccessreviews", "selfsubjectreviews"}


@dataclass(frozen=True)
class Request:
    """One request of one user. `agent` is the User-Agent, by which helm is told from the driver."""

    method: str
    path: str
    user: User
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    agent: str = ""
    accept: str = ""

    @property
    def changes(self) -> bool:
        """Whether it asks for an effect."""
        asks = self.method == "GET" or self.path.rpartition("/")[2] in _REVIEWS
        return not asks and not self.dry_run

    @property
    def dry_run(self) -> bool:
        """Whether it is only to be told what would come of it."""
        return self.query.get("dryRun") == "All"


@dataclass(frozen=True)
class Target:
    """What a path names."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class FakeCluster:
    """The state outlives its clients. `before` and `after` see each request that changes something; tests hook them.

    `forgetful`: it never knows where a paged list was, as a server that compacted meanwhile. `metrics`: what it says of
    itself there. `unknown`: kinds that it does not serve, as an older one.
    """

    def __init__(self, *, version: str = VERSION) -> None:
        self.version = version
        self.forgetful = False
        self.metrics = ""
        self.unknown: set[Kind] = set()
        self.store = Store()
        self.access = Access(self.store)
        self.controllers = Controllers(self.store)
        self.lock = threading.RLock()
        self.before: list[Callable[[Request], None]] = []
        self.missed: list[Callable[[Target], None]] = []
        self.found: list[Callable[[Target], None]] = []
        self.after: list[Callable[[Request], None]] = []
        for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
            self.make(NAMESPACE, name)
        everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        self.make(CLUSTER_ROLE, "cluster-admin", rules=everything)
        self.make(CLUSTER_ROLE, "view", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])

    def make(self, kind: Kind, name: str, **parts: Any) -> Stored:
        """Puts an object there, as the server's own."""
        metadata = {"name": name, **parts.pop("metadata", {})}
        with self.lock:
            return self.store.create(kind, {"metadata": metadata, **parts}, manager="kube-apiserver")

    def handle(self, request: Request) -> Json | str:
        """The answer. Refusal for everything that is none of success."""
        if request.changes:
            for hook in self.before:
                hook(request)
        with self.lock:
            self.controllers.settle()
            answer = self._answer(request)
        if request.changes:
            for hook in self.after:
                hook(request)
        return answer

    def _answer(self, request: Request) -> Json | str:
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if len(parts) == 1 and parts[0] in _WITHOUT_RIGHTS:
            return self._about(parts[0])
        if parts == ["metrics"]:
            return self.metrics
        if parts[0] in ("api", "apis") and (
            served := discovery(parts, self._served(), aggregated=self._aggregates(request))
        ):
            return served
        if parts[-1] in _REVIEWS:
            return self._review(request, parts[-1])
        target = _target(parts, request.path)
        if target.kind in self.unknown:
            raise answers.no_such_path(request.path)
        self._require(request, target)
        try:
            answer = _json(self._do(request, target))
            if request.method == "GET" and target.name:
                for told in self.found:
                    told(target)
            return answer
        except answers.Refusal as refusal:
            if request.method == "GET" and refusal.status == 404:
                for told in self.missed:
                    told(target)
            raise

    def _served(self) -> list[Kind]:
        return [kind for kind in _BY_PATH.values() if kind not in self.unknown]

    def _about(self, what: str) -> Json:
        if what == "version":
            major, minor, _ = self.version.split(".")
            return {"gitVersion": f"v{self.version}", "major": major, "minor": minor}
        return {"ok": True}

    def _aggregates(self, request: Request) -> bool:
        """As servers do from 1.30 on, where they are asked for it."""
        return "apidiscovery.k8s.io" in request.accept and int(self.version.split(".")[1]) >= 30

    def _review(self, request: Request, what: str) -> Json:
        if what == "selfsubjectreviews":
            info = {"username": request.user.name, "groups": list(request.user.groups)}
            return {**request.body, "status": {"userInfo": info}}
        asked = request.body["spec"]["resourceAttributes"]
        resource = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
        wish = Wish(asked["verb"], asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", ""))
        return {**request.body, "status": {"allowed": self.access.allows(request.user, wish)}}

    def _require(self, request: Request, target: Target) -> None:
        one = {"GET": "get", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
        verb = one[request.method]
        if not target.name and verb in ("get", "delete"):
            verb = {"get": "list", "delete": "deletecollection"}[verb]
        resource = "/".join(filter(None, (target.kind.plural, target.subresource)))
        name = "" if verb == "create" and not target.subresource else target.name
        home = target.name if target.kind == NAMESPACE else target.namespace  # RBAC counts it among its content
        self.access.require(request.user, Wish(verb, target.kind.group, resource, home, name), target.kind)

    def _do(self, request: Request, target: Target) -> Stored | Json:
        if request.method != "GET":
            name = target.name or (request.body or {}).get("metadata", {}).get("name", "")
            admission_require(self.store, request.user.name, target.kind, name)
            if request.dry_run:
                return dict(request.body)
        if request.method == "GET":
            return self._stored(target) if target.name else self._list(request, target)
        if request.method == "POST":
            return self._token(request, target) if target.subresource == "token" else self._create(request, target)
        if request.method == "PATCH":
            return self._patch(request, target)
        if request.method == "DELETE":
            return self._delete(request, target)
        raise answers.Refusal(405, "MethodNotAllowed", f"the server does not allow {request.method} here")

    def _stored(self, target: Target) -> Stored:
        return self.store.get(target.kind, target.name, target.namespace)

    def _list(self, request: Request, target: Target) -> Json:
        query, kind = request.query, target.kind
        matches = [labels_match(query.get("labelSelector", "")), fields_match(query.get("fieldSelector", ""))]
        shown = [stored.shown() for stored in self.store.each(kind, target.namespace)]
        found = [item for item in shown if all(match(item) for match in matches)]
        if self.forgetful and query.get("continue"):
            raise answers.Refusal(410, "Expired", "The provided continue parameter is too old")
        start, limit = int(query.get("continue") or 0), int(query.get("limit") or 0)
        page = found[start : start + limit] if limit else found
        more = str(start + limit) if limit and len(found) > start + limit else ""
        for item in page:  # items of a list come without these two
            del item["apiVersion"], item["kind"]
        meta = {"resourceVersion": str(self.store.revision), **({"continue": more} if more else {})}
        return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta, "items": page}

    def _create(self, request: Request, target: Target) -> Stored:
        manifest = _homed(request.body, target)
        return self.store.create(target.kind, manifest, manager=_manager(request))

    def _patch(self, request: Request, target: Target) -> Stored:
        if request.content_type == "application/apply-patch+yaml":
            force = request.query.get("force") == "true"
            body = _homed(request.body, target)
            return self.store.apply(target.kind, body, manager=_manager(request), force=force)
        return self.store.patch(self._stored(target), request.body, manager=_manager(request))

    def _delete(self, request: Request, target: Target) -> Json:
        options = request.body or {}
        dependents = options.get("propagationPolicy") != "Orphan"
        uid = (options.get("preconditions") or {}).get("uid", "")
        if target.name:
            return self.store.delete(self._stored(target), uid=uid, dependents=dependents).shown()
        matches = labels_match(request.query.get("labelSelector", ""))
        for stored in list(self.store.each(target.kind, target.namespace)):
            if matches(stored.value):
                self.store.delete(stored, dependents=dependents)
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _token(self, request: Request, target: Target) -> Json:
        seconds = int(request.body["spec"]["expirationSeconds"])
        self.store.get(SERVICE_ACCOUNT, target.name, target.namespace)
        if seconds < _SHORTEST_TOKEN:
            why = f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration less than 10 minutes"
            raise answers.invalid("TokenRequest.authentication.k8s.io", "", why)
        token, ends = self.access.token_for(target.namespace, target.name, seconds)
        moment = datetime.fromtimestamp(ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {**request.body, "status": {"token": token, "expirationTimestamp": moment}}


def _target(parts: list[str], path: str) -> Target:
    """/api/v1 or /apis/GROUP/VERSION, then namespaces/NAME where it is in one, plural, name and subresource."""
    length = 2 if parts[0] == "api" else 3
    version, rest = "/".join(parts[1:length]), parts[length:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    kind = _BY_PATH.get((version, rest[0] if rest else ""))
    if kind is None or len(rest) > 3:
        raise answers.no_such_path(path)
    name, subresource = [*rest[1:], "", ""][:2]
    return Target(kind, namespace, name, subresource)


def _homed(manifest: Json, target: Target) -> Json:
    """The path says which namespace."""
    meta = {**manifest.get("metadata", {}), **({"namespace": target.namespace} if target.namespace else {})}
    return {**manifest, "metadata": meta}


def _manager(request: Request) -> str:
    return request.query.get("fieldManager") or request.agent.partition("/")[0] or "unknown"


def _json(answer: Stored | Json) -> Json:
    return answer.shown() if isinstance(answer, Stored) else answer


def encoded(text: str) -> str:
    """As the data of a Secret has it."""
    return base64.b64encode(text.encode()).decode()


def to_bytes(answer: Json | str) -> bytes:
    return (answer if isinstance(answer, str) else json.dumps(answer)).encode()
