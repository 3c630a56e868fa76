"""A small server that speaks the contract of Marina's API, for the tests of the command.

It keeps objects in memory, remembers every request, and can be told to lose answers. What the real server does
behind these addresses is tested with the real one in tests/e2e.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import yaml
from nacl.public import PublicKey, SealedBox

NOW = "2026-11-23T10:00:00Z"
STEPS = ("Choose a host", "Install the release", "Wait for the API server")
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters:
- name: hello
  cluster: {server: "https://hello.example.org:443", certificate-authority-data: Q0E=, tls-server-name: hello}
users:
- name: alice
  user: {token: the-secret-token}
contexts:
- name: hello
  context: {cluster: hello, user: alice, namespace: default}
current-context: hello
"""


def gateway_kubeconfig(url: str, user: dict[str, Any]) -> str:
    """A kubeconfig for the gateway, as the server writes one."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "marina-hello", "cluster": {"server": url}}],
        "users": [{"name": "marina-hello", "user": user}],
        "contexts": [{"name": "marina-hello", "context": {"cluster": "marina-hello", "user": "marina-hello"}}],
        "current-context": "marina-hello",
    }
    return yaml.safe_dump(document, sort_keys=False)


MANIFEST = """\
apiVersion: v1
kind: Namespace
metadata: {name: marina-system}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: marina, namespace: marina-system}
"""
TOKEN_SECRET = """\
---
apiVersion: v1
kind: Secret
type: kubernetes.io/service-account-token
metadata:
  name: marina-token
  namespace: marina-system
  annotations: {kubernetes.io/service-account.name: marina}
"""


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """What goes back; `lose` does the work and then breaks the connection."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    lose: bool = False


def problem(status: int, detail: str, **more: Any) -> Answer:
    return Answer(status, {"type": "about:blank", "title": "No", "status": status, "detail": detail, **more})


class ApiServer:
    """Start it with `with`; `url` is where it is."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.passwords = {"alice": "correct horse"}
        self.tokens = {"mar_alice001_secret"}
        self.projects = [{"id": "p1", "name": "payments", "organization": "acme", "role": "developer"}]
        self.clusters: dict[str, dict[str, Any]] = {}
        self.hosts: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.discovered: dict[str, dict[str, Any]] = {}
        self.audit_events: list[dict[str, Any]] = []
        self.sealed: dict[str, str] = {}
        self.gateway_tokens: dict[str, dict[str, Any]] = {}
        self.credentials_given = 0
        self.group_mappings: dict[str, dict[str, Any]] = {}
        self.device_answers: list[str] = []
        """Codes of the polls to come, then the token."""
        self.requests: list[Request] = []
        self.scripted: list[Callable[[Request], Answer | None]] = []
        """Looked at before anything else; one that answers is used up."""
        self.outcome = "Succeeded"
        self.knows_dry_runs = True
        self.polls_needed = len(STEPS)
        self._answers: dict[str, Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ApiServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # what tests prepare and ask

    def add_cluster(self, name: str, **more: Any) -> dict[str, Any]:
        identity = str(uuid4())
        self.clusters[identity] = {
            "id": identity,
            "name": name,
            "project": {key: self.projects[0][key] for key in ("id", "name", "organization")},
            "owner": {"kind": "team", "id": "t1", "name": "tills"},
            "created_by": {"id": "u1", "handle": "alice"},
            "spec": {"size": "small"},
            "labels": {},
            "deletion_protection": False,
            "phase": "Ready",
            "conditions": [],
            "not_synced": [],
            "placement": {
                "host": {"id": "h1", "name": "harbor-east"},
                "namespace": f"marina-{name}-1a2b",
                "release": name,
                "endpoint": f"https://{name}.example.org",
                "kubernetes_version": "1.36.3",
                "chart_version": "0.36.1",
            },
            "operation": None,
            "created_at": NOW,
            **more,
        }
        return self.clusters[identity]

    def add_host(self, name: str, **more: Any) -> dict[str, Any]:
        identity = str(uuid4())
        self.hosts[identity] = {
            "id": identity,
            "name": name,
            "scope": "platform",
            "mode": "cluster",
            "namespaces": [],
            "labels": {"tier": "1"},
            "region": "fsn",
            "phase": "Ready",
            "conditions": [],
            "cordoned": False,
            "kubernetes_version": "1.36.3",
            "server": f"https://{name}:6443",
            **more,
        }
        return self.hosts[identity]

    def add_discovered(self, release: str, **more: Any) -> dict[str, Any]:
        identity = str(uuid4())
        self.discovered[identity] = {
            "id": identity,
            "host": {"id": "h1", "name": "harbor-east"},
            "namespace": f"team-{release}",
            "release": release,
            "workload": "StatefulSet",
            "chart_version": "0.36.1",
            "kubernetes_version": "1.36.3",
            "image": "ghcr.io/loft-sh/vcluster-oss:0.36.1",
            "paused": False,
            "ignored": False,
            "seen_at": NOW,
            "created_at": NOW,
            **more,
        }
        return self.discovered[identity]

    def add_audit_event(self, action: str, **more: Any) -> dict[str, Any]:
        row = {
            "id": str(uuid4()),
            "created_at": NOW,
            "actor": "alice",
            "action": action,
            "object_kind": "project",
            "object_id": "p1",
            "object_name": "acme/payments",
            "result": "ok",
            "source": "cli",
            "address": "192.0.2.7",
            "token_prefix": "alice001",
            "before": {},
            "after": {},
            "details": {},
            **more,
        }
        self.audit_events.insert(0, row)
        return row

    def add_operation(self, kind: str, **more: Any) -> dict[str, Any]:
        identity = str(uuid4())
        steps = [{"key": f"s{index}", "name": name, "state": "waiting"} for index, name in enumerate(STEPS)]
        self.operations[identity] = {
            "id": identity,
            "kind": kind,
            "state": "Pending",
            "virtual_cluster": None,
            "host_cluster": None,
            "steps": steps,
            "steps_done": 0,
            "steps_total": len(steps),
            "message": "",
            "error": None,
            "attempt": 1,
            "run_after": None,
            "requested_by": {"id": "u1", "handle": "alice"},
            "created_at": NOW,
            "events": [],
            "has_sealed_result": False,
            **more,
        }
        return self.operations[identity]

    def asked(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and request.path.startswith(path)]

    def lose_answer(self, method: str, path: str, *, times: int = 1) -> None:
        """The work is done, but whoever asked for it does not hear so."""
        for _ in range(times):
            self.scripted.append(
                lambda request: Answer(lose=True) if (request.method, request.path) == (method, path) else None
            )

    def say_once(self, method: str, path: str, answer: Answer) -> None:
        self.scripted.append(lambda request: answer if (request.method, request.path) == (method, path) else None)

    # HTTP

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _answer(self) -> None:
                request = self._read()
                answer = outer._respond(request)
                if answer.lose:
                    self.close_connection = True
                    self.connection.close()
                    return
                kind = "application/problem+json" if answer.status >= 400 else "application/json"
                body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                payload = b"" if answer.body is None else body.encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": kind, **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def _read(self) -> Request:
                url = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                headers = {key.lower(): value for key, value in self.headers.items()}
                return Request(self.command, url.path.removeprefix("/api/v1"), query, headers, body)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    def _respond(self, request: Request) -> Answer:
        self.requests.append(request)
        for script in self.scripted:
            told = script(request)
            if told is not None:
                self.scripted.remove(script)
                if told.lose:
                    self._once(request)
                return told
        return self._once(request)

    def _once(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if key and key in self._answers:
            return self._answers[key]
        answer = self._route(request)
        if key:
            self._answers[key] = answer
        return answer

    def _route(self, request: Request) -> Answer:
        if request.path == "/access-tokens" and request.method == "POST":
            return self._token_make(request)
        if request.path.startswith("/device-logins"):
            return self._device_login(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return problem(401, "The token is not valid.", code="unauthorized")
        noun, _, rest = request.path.strip("/").partition("/")
        route = getattr(self, f"_{noun.replace('-', '_')}", None)
        answer: Answer = route(request, rest) if route else problem(404, "There is no such address.")
        if request.query.get("dry_run") == "true" and self.knows_dry_runs:
            answer.headers["Marina-Dry-Run"] = "true"
        return answer

    def _token_make(self, request: Request) -> Answer:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        handle, _, password = base64.b64decode(value).decode().partition(":") if scheme == "Basic" else ("", "", "")
        if self.passwords.get(handle) != password:
            return problem(401, "Handle or password is wrong.")
        token = f"mar_{uuid4().hex[:8]}_secret"
        self.tokens.add(token)
        return Answer(201, {"id": f"id-of-{token}", "name": request.body["name"], "token": token})

    def _device_login(self, request: Request) -> Answer:
        if request.path == "/device-logins":
            codes = {"device_code": "the-device-code", "user_code": "BCDF-GHJK", "expires_in": 600, "interval": 5}
            page = f"{self.url}/device"
            return Answer(
                201, {**codes, "verification_uri": page, "verification_uri_complete": f"{page}?code=BCDF-GHJK"}
            )
        said = self.device_answers.pop(0) if self.device_answers else "allowed"
        if said != "allowed":
            return problem(400, f"It is {said}.", code=said)
        token = f"mar_{uuid4().hex[:8]}_secret"
        self.tokens.add(token)
        return Answer(201, {"id": f"id-of-{token}", "name": "x", "token": token})

    def _group_mappings(self, request: Request, rest: str) -> Answer:
        if request.method == "POST":
            made = {"id": str(uuid4()), "team": None, "project": None, "role": "", "people": 0, **request.body}
            for name in {"organization", "team"} & set(request.body):
                made[name] = {"id": "x", "name": request.body[name]}
            self.group_mappings[made["id"]] = made
            return Answer(201, made)
        if request.method == "DELETE":
            return Answer(204) if self.group_mappings.pop(rest, None) else problem(404, "Not there.")
        if rest:
            return Answer(body=self.group_mappings[rest])
        return self._page(request, list(self.group_mappings.values()))

    def _access_tokens(self, request: Request, rest: str) -> Answer:
        self.tokens.discard(rest.removeprefix("id-of-"))
        return Answer(204)

    def _me(self, request: Request, rest: str) -> Answer:
        organizations = [{"id": "o1", "name": "acme", "role": "member"}]
        me = {"id": "u1", "handle": "alice", "name": "Alice", "email": "alice@example.org", "is_staff": False}
        projects = [{**each, "organization": {"id": "o1", "name": each["organization"]}} for each in self.projects]
        return Answer(body={**me, "organizations": organizations, "projects": projects})

    def _options(self, request: Request, rest: str) -> Answer:
        return Answer(
            body={
                "kubernetes_versions": ["1.36.3", "1.35.4"],
                "default_kubernetes_version": "1.36.3",
                "chart_version": "0.36.1",
                "sizes": [{"name": "small", "description": "2 CPU, 4Gi"}],
                "exposures": ["None", "LoadBalancer"],
                "kubeconfig_expiry": {"minimum": 600, "default": 3600, "maximum": 86400},
            }
        )

    def _page(self, request: Request, items: list[dict[str, Any]]) -> Answer:
        start, size = int(request.query.get("cursor", 0)), min(int(request.query.get("page_size", 50)), 3)
        # the host of the link is wrong on purpose: nobody may follow it there with a token
        more = (
            f"http://elsewhere.invalid/api/v1{request.path}?cursor={start + size}"
            if start + size < len(items)
            else None
        )
        return Answer(body={"next": more, "previous": None, "results": items[start : start + size]})

    def _started(self, noun: str, item: dict[str, Any], kind: str) -> Answer:
        summary = {"id": item["id"], "name": item["name"]}
        operation = self.add_operation(kind, **{noun: summary})
        headers = {"Operation-Location": f"/api/v1/operations/{operation['id']}", "Retry-After": "1"}
        return Answer(202, {"operation": dict(operation), noun: dict(item)}, headers)

    def _virtual_clusters(self, request: Request, rest: str) -> Answer:
        if request.method == "POST" and not rest:
            return self._create(request.body)
        if rest in ("batch-create", "batch-delete"):
            return self._batch(request, self._create if rest == "batch-create" else self._delete)
        if not rest:
            name = request.query.get("name")
            return self._page(request, [item for item in self.clusters.values() if name in (None, item["name"])])
        identity, _, action = rest.partition("/")
        item = self.clusters.get(identity)
        if item is None:
            return problem(404, "There is no such virtual cluster.")
        if action == "kubeconfigs":
            return self._kubeconfig(request, item)
        if action.startswith(("kubeconfig", "gateway-")):
            return self._gateway(request, item, action)
        if action == "configure":
            return self._started("virtual_cluster", item, "configure")
        if request.method == "PATCH":
            spec = request.body.get("spec")
            item.update(request.body if spec is None else {"spec": {**item["spec"], **spec}})
            if spec is not None:
                return self._started("virtual_cluster", item, "configure")
        return self._delete(item) if request.method == "DELETE" else Answer(body=item)

    def _create(self, body: dict[str, Any]) -> Answer:
        if any(item["name"] == body["name"] for item in self.clusters.values()):
            return problem(409, f"There is a virtual cluster {body['name']} already.", hint="Choose another name.")
        more = {key: body[key] for key in ("labels", "spec", "deletion_protection") if key in body}
        return self._started("virtual_cluster", self.add_cluster(body["name"], **more), "provision")

    def _delete(self, asked: dict[str, Any]) -> Answer:
        item = self.clusters[asked["id"]]
        if item["deletion_protection"]:
            return problem(409, f"{item['name']} is protected.", hint="Unprotect it first.")
        return self._started("virtual_cluster", item, "delete")

    def _batch(self, request: Request, act: Callable[[dict[str, Any]], Answer]) -> Answer:
        answers = [act(each) for each in request.body["items"]]
        refused = [(index, each.body) for index, each in enumerate(answers) if each.status >= 400]
        if request.body.get("all_or_nothing") and refused:
            errors = [
                {"field": f"items[{index}]", "message": each["detail"], "accepted": ""} for index, each in refused
            ]
            return problem(400, f"{len(refused)} of {len(answers)} were refused.", code="batch-refused", errors=errors)
        nothing = {"virtual_cluster": None, "operation": None, "problem": None}
        results = [
            {"status": each.status, **nothing, **({"problem": each.body} if each.status >= 400 else each.body)}
            for each in answers
        ]
        counts = {"accepted": len(answers) - len(refused), "refused": len(refused)}
        return Answer(202, {**counts, "results": results})

    def _discovered_clusters(self, request: Request, rest: str) -> Answer:
        if not rest:
            wanted = request.query.get("ignored")
            shown = [each for each in self.discovered.values() if wanted in (None, str(each["ignored"]).lower())]
            return self._page(request, shown)
        identity, _, action = rest.partition("/")
        item = self.discovered.get(identity)
        if item is None:
            return problem(404, "There is no such object, or you have no role that shows it.")
        if action == "adopt":
            del self.discovered[identity]
            name = request.body.get("name") or item["release"]
            return self._started("virtual_cluster", self.add_cluster(name), "adopt")
        item["ignored"] = action == "ignore"
        return Answer(body=item)

    def _audit_events(self, request: Request, rest: str) -> Answer:
        shown = [row for row in self.audit_events if request.query.get("actor") in (None, row["actor"])]
        if rest == "export":
            text = "".join(json.dumps(row) + "\n" for row in reversed(shown))
            return Answer(body=text, headers={"Content-Type": "application/x-ndjson"})
        return self._page(request, shown)

    def _kubeconfig(self, request: Request, item: dict[str, Any]) -> Answer:
        answer = self._started("virtual_cluster", item, "issue-kubeconfig")
        box = SealedBox(PublicKey(base64.b64decode(request.body["public_key"])))
        sealed = base64.b64encode(box.encrypt(KUBECONFIG.encode())).decode()
        self.sealed[answer.body["operation"]["id"]] = sealed
        del answer.body["virtual_cluster"]
        return answer

    def _gateway(self, request: Request, item: dict[str, Any], action: str) -> Answer:
        noun, _, rest = action.partition("/")
        url = f"https://gateway.example.com/v1/clusters/{item['id']}"
        if noun == "kubeconfig":
            level = request.query.get("level", "")
            arguments = ["credential", "--cluster", item["id"], *(["--level", level] if level else [])]
            run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "marina", "args": arguments}
            run |= {"env": [{"name": "MARINA_SERVER", "value": "https://public"}], "interactiveMode": "Never"}
            return Answer(body={"kubeconfig": gateway_kubeconfig(url, {"exec": run}), "level": level or "admin"})
        if noun == "gateway-credentials":
            self.credentials_given += 1
            level = request.body.get("level", "admin")
            body = {"token": f"mgt_{level}-{self.credentials_given}", "expires_in": 600, "level": level}
            return Answer(201, body)
        if request.method == "GET":
            return self._page(request, list(self.gateway_tokens.values()))
        token = self.gateway_tokens.get(rest.partition("/")[0])
        if rest and token is None:
            return problem(404, "There is no such object, or you have no role that shows it.")
        if request.method == "DELETE":
            self.gateway_tokens.pop(rest)
            return Answer(204)
        made = {**(token or {"level": "admin", "name": request.body.get("name")}), "id": str(uuid4())}
        made |= {"prefix": f"prefix{len(self.gateway_tokens):02}", "expires_at": "2026-12-23T10:00:00Z"}
        self.gateway_tokens[made["id"]] = made
        text = f"mgs_{made['prefix']}_the-static-secret"
        return Answer(201, {**made, "token": text, "kubeconfig": gateway_kubeconfig(url, {"token": text})})

    def _host_clusters(self, request: Request, rest: str) -> Answer:
        if rest == "manifest":
            text = MANIFEST + (TOKEN_SECRET if request.query.get("long_lived") == "true" else "")
            return Answer(body=text, headers={"Content-Type": "application/yaml"})
        if request.method == "POST":
            return self._started("host_cluster", self.add_host(request.body["name"], phase="Pending"), "connect")
        if not rest:
            return self._page(request, list(self.hosts.values()))
        identity, _, action = rest.partition("/")
        if identity not in self.hosts:
            return problem(404, "There is no such host.")
        if action == "credential":
            return self._started("host_cluster", self.hosts[identity], "connect")
        if request.method == "PATCH":
            self.hosts[identity].update(request.body)
        if request.method == "DELETE":
            if any(item["placement"] for item in self.clusters.values()):
                return problem(409, "A virtual cluster is placed there.")
            del self.hosts[identity]
            return Answer(204)
        return Answer(body=self.hosts[identity])

    def _operations(self, request: Request, rest: str) -> Answer:
        if not rest and "id" in request.query:
            asked = [self.operations[key] for key in request.query["id"].split(",")]
            for each in asked:
                self._advance(each)
            return Answer(body={"next": None, "previous": None, "results": asked})
        if not rest:
            wanted = request.query.get("virtual_cluster")
            newest_first = reversed(self.operations.values())
            of = [each for each in newest_first if not wanted or (each["virtual_cluster"] or {}).get("id") == wanted]
            return self._page(request, of)
        identity, _, action = rest.partition("/")
        operation = self.operations.get(identity)
        if operation is None:
            return problem(404, "There is no such operation.")
        if action == "sealed-result":
            sealed = self.sealed.pop(identity, None)
            return Answer(body={"sealed": sealed}) if sealed else problem(410, "It was read already.")
        if action == "retry":
            operation.update(state="Pending", error=None)
            return Answer(202, {"operation": dict(operation)})
        if action == "abort":
            operation.update(state="Aborted")
            return Answer(202, {"operation": dict(operation)})
        self._advance(operation)
        return Answer(body=operation)

    def _advance(self, operation: dict[str, Any]) -> None:
        """Each look at an operation finds it one step further."""
        if operation["state"] not in ("Pending", "Processing"):
            return
        done = operation["steps_done"] = operation["steps_done"] + 1
        for index, step in enumerate(operation["steps"]):
            step["state"] = "done" if index < done else "current" if index == done else "waiting"
            if step["state"] == "done":
                step.update(started_at=NOW, finished_at="2026-11-23T10:00:02Z")
        operation.update(state="Processing", message=f"It takes {done} s so far.")
        if done >= self.polls_needed:
            self._end(operation)

    def _end(self, operation: dict[str, Any]) -> None:
        operation.update(state=self.outcome, message="")
        if (operation["kind"], self.outcome) == ("delete", "Succeeded"):
            self.clusters[operation["virtual_cluster"]["id"]].update(phase="Deleted", operation=dict(operation))
        if self.outcome == "Failed":
            operation["steps"][-1]["state"] = "failed"
            operation["error"] = {"code": "quota", "message": "exceeded quota: q", "hint": "Choose a smaller size."}
