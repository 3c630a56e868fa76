"""What Marina asks of a Kubernetes API server, a host's or a virtual cluster's: raw JSON in, raw JSON out.

Every method raises StepErrors only (see drivers/errors.py) and never waits longer than the route's timeouts allow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from provisioning.drivers.calls import AGGREGATED, APPLY_PATCH, JSON, MERGE_PATCH, METADATA, no_effect_check
from provisioning.drivers.errors import ConflictError, NotFound
from provisioning.drivers.kinds import ENDPOINTS, EVENT, NAMESPACE, SERVICE, SERVICE_ACCOUNT, Json, Kind, kind_of
from provisioning.drivers.objects import ObjectCalls
from provisioning.drivers.transport import ApiConnection
from provisioning.engine.errors import PermanentError, TemporaryError
from provisioning.failpoints import failpoint_register

FIELD_MANAGER = "marina"
PAGE = 500
"""Objects a page of a list: what kubectl takes."""
SERVICE_MOST = 64 * 1024 * 1024
"""Bytes of what a Service answers: several times what an ingress controller with thousands of ingresses tells."""

failpoint_register(
    "kube.create", "kube.apply", "kube.patch", "kube.delete", "kube.delete_collection", "kube.token_request"
)

JsonList = list[Json]


@dataclass(frozen=True)
class Permission:
    """One thing somebody may or may not do. No namespace means the whole cluster, no name any name."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True)
class Subject:
    """Who the API server takes us for."""

    username: str
    groups: tuple[str, ...]


class KubeClient(ObjectCalls):
    """Thread-safe, and cheap to make: connections belong to the ApiConnection, which the maker closes or caches."""

    def __init__(self, api: ApiConnection, *, before_effect: Callable[[], None] = no_effect_check) -> None:
        super().__init__(api, before_effect)

    # Looking

    def version(self) -> Json:
        """What /version says: gitVersion, major, minor and so on."""
        return self._read("/version")

    def api_groups(self) -> list[str]:
        """What it serves besides the core API, as GROUP/VERSION."""
        groups = self._read("/apis").get("groups") or []
        return sorted(version["groupVersion"] for group in groups for version in group.get("versions") or [])

    def readyz(self) -> bool:
        """Whether the server calls itself ready. One that cannot be reached raises instead."""
        try:
            self._send("GET", "/readyz")
        except (TemporaryError, PermanentError) as error:
            if error.code == "server-error":
                return False
            raise
        return True

    def metrics(self) -> str:
        """What the server measures of itself, as text (Prometheus)."""
        return self._send("GET", "/metrics", accept="text/plain").decode(errors="replace")

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Json | None:
        """None if there is no such object, or no such namespace."""
        return self._read_or_none(kind.path(namespace=namespace, name=name))

    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = PAGE,
        metadata_only: bool = False,
    ) -> JsonList:
        """All of them, fetched in pages of `limit`; without a namespace those of the whole cluster.

        With `metadata_only` their contents may be left out. A list that changed so much meanwhile that the server
        forgot where we were is fetched again in one piece.
        """
        path = kind.path(namespace=namespace)
        query: dict[str, str | int] = {"labelSelector": label_selector, "fieldSelector": field_selector}
        selectors = {key: value for key, value in query.items() if value}
        accept = METADATA if metadata_only else JSON
        try:
            items = self._pages(path, {**selectors, "limit": limit}, accept)
        except ConflictError:
            items = self._pages(path, selectors, accept)
        # Items of a list come without these two.
        return [{**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items]

    def _pages(self, path: str, query: dict[str, str | int], accept: str) -> JsonList:
        items: JsonList = []
        token = ""
        while True:
            page = self._read(path, {**query, "continue": token} if token else query, accept=accept)
            items += page.get("items") or []
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return items

    def page(self, kind: Kind, *, limit: int = PAGE, token: str = "", metadata_only: bool = False) -> Json:
        """One page of all there are in the whole cluster, as the server gives it; the next one by its `continue`.

        `limit` 0 gives all in one. With `metadata_only` without what the objects hold: who they are, and by
        metadata.managedFields who wrote them. ConflictError where the server forgot the token's place.
        """
        query: dict[str, str | int] = {"limit": limit, "continue": token}
        given = {key: value for key, value in query.items() if value}
        return self._read(kind.path(), given, accept=METADATA if metadata_only else JSON)

    def discovery(self, path: str) -> Json:
        """What is served below /api, /apis or a group's version: with all resources at once where the server can."""
        return self._read(path, accept=AGGREGATED)

    def events(self, namespace: str, *, kind: str, name: str) -> JsonList:
        """The events about one object, newest first."""
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        return sorted(self.list(EVENT, namespace, field_selector=selector), key=event_time, reverse=True)

    def endpoints_ready(self, service: str, namespace: str) -> int:
        """How many addresses behind a Service are ready."""
        found = self.get(ENDPOINTS, service, namespace) or {}
        ready = (each for subset in found.get("subsets") or [] for each in subset.get("addresses") or [])
        return len({each.get("ip") for each in ready})

    def service_read(self, service_port: str, namespace: str, path: str, *, most: int = SERVICE_MOST) -> str:
        """What a Service (NAME:PORT) answers to a GET of `path`, through the API server's proxy. At most `most` bytes.

        It takes the right to get services/proxy named NAME:PORT. The API server picks one of the addresses at random.
        """
        proxy = SERVICE.path(namespace=namespace, name=service_port, subresource="proxy")
        return self._send("GET", proxy + path, accept="text/plain", most=most).decode("utf-8", "replace")

    def access_review(self, permission: Permission) -> bool:
        """Whether this credential may do it."""
        attributes = {
            "verb": permission.verb,
            "group": permission.group,
            "resource": permission.resource,
            "subresource": permission.subresource,
            "namespace": permission.namespace,
            "name": permission.name,
        }
        api_version = "authorization.k8s.io/v1"
        question: Json = {"apiVersion": api_version, "kind": "SelfSubjectAccessReview"}
        question["spec"] = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
        answer = self._ask(f"/apis/{api_version}/selfsubjectaccessreviews", question)
        return bool(answer.get("status", {}).get("allowed"))

    def self_subject(self) -> Subject:
        """Who this credential is."""
        api_version = "authentication.k8s.io/v1"
        question = {"apiVersion": api_version, "kind": "SelfSubjectReview"}
        answer = self._ask(f"/apis/{api_version}/selfsubjectreviews", question)
        info = answer.get("status", {}).get("userInfo", {})
        return Subject(info.get("username", ""), tuple(info.get("groups") or ()))

    def try_as(self, user: str, group: str, manifest: Json) -> None:
        """Tries whether somebody else could create it. PermanentError, in the server's words, where not."""
        path = kind_of(manifest).path(namespace=_namespace(manifest))
        self._send("POST", path, {"dryRun": "All"}, body=manifest, act_as=(user, group))

    def revision(self) -> int:
        """The newest resourceVersion that the server has given out. Of one store they grow with each write."""
        listed = self._read(NAMESPACE.path(), {"limit": 1})
        return int(listed["metadata"]["resourceVersion"])

    # Changing

    def create(self, manifest: Json) -> Json:
        """The object as created. ConflictError with `already_exists` if it is there."""
        path = kind_of(manifest).path(namespace=_namespace(manifest))
        return self._effect("kube.create", "POST", path, manifest, query={"fieldManager": FIELD_MANAGER})

    def apply(self, manifest: Json) -> Json:
        """Server-side apply: makes the object or brings the named fields to these values, whoever set them before."""
        path = kind_of(manifest).path(namespace=_namespace(manifest), name=manifest["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._effect("kube.apply", "PATCH", path, manifest, query=query, content_type=APPLY_PATCH)

    def patch_merge(self, kind: Kind, name: str, namespace: str | None, patch: Json, *, subresource: str = "") -> Json:
        """JSON merge patch: null removes a field, a list replaces the whole list. NotFound if the object is absent."""
        path = kind.path(namespace=namespace, name=name, subresource=subresource)
        query = {"fieldManager": FIELD_MANAGER}
        return self._effect("kube.patch", "PATCH", path, patch, query=query, content_type=MERGE_PATCH)

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: str = "Background",
        grace: int | None = None,
    ) -> bool:
        """Ask for its deletion; it may take a while to go. False if it (or the one with this uid) is not there.

        `grace` is in seconds. A namespace, or an object with finalizers, is still there after True.
        """
        options = _delete_options(propagation)
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            self._effect("kube.delete", "DELETE", kind.path(namespace=namespace, name=name), options)
        except NotFound:
            return False
        except ConflictError:
            if uid is None or self._uid(kind, name, namespace) == uid:
                raise
            return False
        return True

    def _uid(self, kind: Kind, name: str, namespace: str | None) -> str | None:
        found = self.get(kind, name, namespace) or {}
        uid: str | None = found.get("metadata", {}).get("uid")
        return uid

    def delete_collection(self, kind: Kind, namespace: str, label_selector: str) -> None:
        """Ask for the deletion of all with these labels. ValueError without any: nothing is emptied by accident."""
        if not label_selector:
            raise ValueError(f"Deleting all {kind.plural} of a namespace needs a label selector.")
        query = {"labelSelector": label_selector}
        path = kind.path(namespace=namespace)
        self._effect("kube.delete_collection", "DELETE", path, _delete_options("Background"), query=query)

    def token_request(self, namespace: str, service_account: str, seconds: int) -> tuple[str, datetime]:
        """A bound token and when it ends, which the server may have set earlier or later than asked."""
        api_version = "authentication.k8s.io/v1"
        body: Json = {"apiVersion": api_version, "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
        path = SERVICE_ACCOUNT.path(namespace=namespace, name=service_account, subresource="token")
        status = self._effect("kube.token_request", "POST", path, body).get("status", {})
        return str(status["token"]), datetime.fromisoformat(status["expirationTimestamp"])


def event_time(event: Json) -> str:
    """When it was last seen, as RFC 3339 in UTC, so that later is greater."""
    series = event.get("series") or {}
    moments = [event.get("lastTimestamp"), event.get("eventTime"), series.get("lastObservedTime")]
    known = [moment for moment in moments if moment]
    return str(max(known) if known else event.get("metadata", {}).get("creationTimestamp", ""))


def _namespace(manifest: Json) -> str | None:
    namespace: str | None = manifest["metadata"].get("namespace")
    return namespace


def _delete_options(propagation: str) -> Json:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
