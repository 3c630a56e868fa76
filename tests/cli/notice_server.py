"""The server of the command's tests, with an inbox and webhooks."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.cli.api_server import NOW, Answer, ApiServer, Request, problem


class NoticeServer(ApiServer):
    """`outcomes` are what deliveries come to, one for each look at them."""

    def __init__(self) -> None:
        super().__init__()
        self.notices: dict[str, dict[str, Any]] = {}
        self.preferences = {"operation-failed": {"inbox": True, "mail": True}}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.deliveries: dict[str, dict[str, Any]] = {}
        self.outcomes: list[dict[str, Any]] = [{"state": "Delivered", "status": 204, "attempts": 1}]

    def __enter__(self) -> NoticeServer:
        super().__enter__()
        return self

    def add_notice(self, text: str, **more: Any) -> dict[str, Any]:
        item = {
            "id": str(uuid4()),
            "kind": "operation-failed",
            "subject": {"kind": "virtual-cluster", "id": "c1", "name": "hello"},
            "text": text,
            "link": "",
            "command": "",
            "read": False,
            "channels": [{"channel": "mail", "state": "sent"}],
            "created_at": NOW,
            **more,
        }
        return self.notices.setdefault(str(item["id"]), item)

    def add_webhook(self, **more: Any) -> dict[str, Any]:
        item = {
            "id": str(uuid4()),
            "organization": {"id": "o1", "name": "acme"},
            "project": None,
            "url": "https://hooks.example.org/x",
            "description": "",
            "events": ["*"],
            "enabled": True,
            "disabled_reason": "",
            "failing_since": None,
            "previous_until": None,
            "created_at": NOW,
            **more,
        }
        return self.webhooks.setdefault(str(item["id"]), item)

    def add_delivery(self, **more: Any) -> dict[str, Any]:
        item = {
            "id": str(uuid4()),
            "event_id": "msg_1",
            "type": "webhook.ping",
            "state": "Pending",
            "attempts": 0,
            "status": None,
            "error": "",
            "answer": "",
            "created_at": NOW,
            **more,
        }
        return self.deliveries.setdefault(str(item["id"]), item)

    def _notifications(self, request: Request, rest: str) -> Answer:
        if rest == "read-all":
            new = [each for each in self.notices.values() if not each["read"]]
            for each in new:
                each["read"] = True
            return Answer(body={"read": len(new)})
        if not rest:
            unread = request.query.get("unread") == "true"
            return self._page(request, [each for each in self.notices.values() if not (unread and each["read"])])
        if rest not in self.notices:
            return problem(404, "There is no such object, or you have no role that shows it.")
        self.notices[rest].update(request.body or {})
        return Answer(body=self.notices[rest])

    def _notification_preferences(self, request: Request, rest: str) -> Answer:
        shown = [{"kind": kind, "tells": "It failed.", **each} for kind, each in self.preferences.items()]
        if not rest:
            return Answer(body={"results": shown})
        if rest not in self.preferences:
            return problem(404, "There is no such kind of notification.")
        self.preferences[rest].update(request.body)
        return Answer(body={"kind": rest, **self.preferences[rest]})

    def _webhooks(self, request: Request, rest: str) -> Answer:
        identity, _, action = rest.partition("/")
        if not rest:
            if request.method == "POST":
                return Answer(201, {**self.add_webhook(**request.body), "secret": "whsec_new"})
            return self._page(request, list(self.webhooks.values()))
        if identity not in self.webhooks:
            return problem(404, "There is no such object, or you have no role that shows it.")
        item = self.webhooks[identity]
        if action == "ping":
            return Answer(201, dict(self.add_delivery()))
        if action == "rotate-secret":
            return Answer(body={**item, "secret": "whsec_second", "previous_until": NOW})
        if action.startswith("deliveries"):
            return self._delivery(request, action.removeprefix("deliveries").strip("/"))
        if request.method == "DELETE":
            del self.webhooks[identity]
            return Answer(204)
        item.update(request.body or {})
        return Answer(body=item)

    def _delivery(self, request: Request, rest: str) -> Answer:
        if not rest:
            return self._page(request, list(self.deliveries.values()))
        identity, _, action = rest.partition("/")
        item = self.deliveries[identity]
        if action == "redeliver":
            item.update(state="Pending", attempts=0)
            return Answer(body=dict(item))
        if self.outcomes:
            item.update(self.outcomes.pop(0))
        return Answer(body=dict(item))
