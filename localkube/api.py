"""A small asynchronous client of a Kubernetes API: JSON in and out, and watches that survive a restart.

Many watches run in one event loop without a thread each, and end when their task is cancelled.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

Object = dict[str, Any]
OnChange = Callable[[str, Object], None]
"""Called with ADDED, MODIFIED or DELETED and the object."""

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_RECONNECT_AFTER_SECONDS = 0.5
_LONGEST_RECONNECT_SECONDS = 15.0


class ApiError(Exception):
    """The API server said no: its status code, reason and own message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


Unreachable = (httpx.HTTPError, OSError, json.JSONDecodeError)
"""What a call raises when there is no whole answer."""


class KubeApi:
    """One API server as one identity: a bearer token (which may be replaced while in use) or a client certificate."""

    def __init__(
        self,
        server: str,
        authority: Path,
        *,
        token: str = "",
        certificate: tuple[Path, Path] | None = None,
        manager: str = "localkube",
    ) -> None:
        context = ssl.create_default_context(cafile=str(authority))
        if certificate:
            context.load_cert_chain(*certificate)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=4)
        self._http = httpx.AsyncClient(
            base_url=server,
            verify=context,
            timeout=10.0,
            limits=limits,
            trust_env=False,
            headers={"User-Agent": manager},
        )
        self.server = server
        self.tls = context
        self.token = token
        self._manager = manager

    async def close(self) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: str) -> Object:
        return await self.call("GET", path, query=query)

    async def create(self, path: str, body: Object) -> Object:
        return await self.call("POST", path, body=body, query={"fieldManager": self._manager})

    async def patch(self, path: str, body: Object) -> Object:
        """A JSON merge patch: lists are replaced whole, null removes."""
        return await self.call("PATCH", path, body=body, query={"fieldManager": self._manager}, kind=MERGE_PATCH)

    async def apply(self, path: str, body: Object) -> Object:
        """Server-side apply: creates or changes, and takes over fields that others set."""
        query = {"fieldManager": self._manager, "force": "true"}
        return await self.call("PATCH", path, body=body, query=query, kind=APPLY_PATCH)

    async def delete(self, path: str, *, grace_seconds: int | None = None, uid: str | None = None) -> None:
        """Deletes, if it is there (and still is the one with that uid)."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self.call("DELETE", path, body=options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def is_ready(self) -> bool:
        try:
            answer = await self._http.get("/readyz", headers=self._headers(), timeout=2.0)
        except Unreachable:
            return False
        return answer.status_code == 200

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> Object:
        content = None if body is None else json.dumps(body)
        headers = self._headers() | {"Content-Type": kind}
        answer = await self._http.request(method, path, params=query, content=content, headers=headers)
        if answer.is_error:
            raise _error(answer)
        result: Object = answer.json()
        return result

    async def follow(
        self, path: str, on_change: OnChange, *, labels: str = "", listed: asyncio.Event | None = None
    ) -> None:
        """Tells of every object now and every change from now on, until cancelled.

        What vanished while the connection was down is told of as DELETED after reconnecting. `listed` is set once
        every object that was there has been told of.
        """
        known: dict[str, Object] = {}
        delay = _RECONNECT_AFTER_SECONDS
        while True:
            try:
                version = await self._list_once(path, on_change, labels, known)
                if listed:
                    listed.set()
                delay = _RECONNECT_AFTER_SECONDS
                await self._watch_once(path, on_change, labels, known, version)
            except (ApiError, *Unreachable):
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_RECONNECT_SECONDS)

    async def _list_once(self, path: str, on_change: OnChange, labels: str, known: dict[str, Object]) -> str:
        listed = await self.get(path, **_selecting(labels))
        current = {item["metadata"]["uid"]: item for item in listed.get("items") or []}
        for uid in known.keys() - current.keys():
            on_change("DELETED", known.pop(uid))
        for uid, item in current.items():
            on_change("MODIFIED" if uid in known else "ADDED", item)
            known[uid] = item
        return str(listed["metadata"]["resourceVersion"])

    async def _watch_once(
        self, path: str, on_change: OnChange, labels: str, known: dict[str, Object], version: str
    ) -> None:
        async for kind, item in self._watch(path, _selecting(labels) | {"resourceVersion": version}):
            known.pop(item["metadata"]["uid"], None)
            if kind != "DELETED":
                known[item["metadata"]["uid"]] = item
            on_change(kind, item)

    async def _watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[tuple[str, Object]]:
        timeout = httpx.Timeout(10.0, read=None)
        async with self._http.stream(
            "GET", path, params={**query, "watch": "true"}, headers=self._headers(), timeout=timeout
        ) as answer:
            if answer.is_error:
                await answer.aread()
                raise _error(answer)
            async for line in answer.aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":  # the version is too old: list again
                    return
                yield event["type"], event["object"]

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def _error(answer: httpx.Response) -> ApiError:
    try:
        status = answer.json()
        return ApiError(answer.status_code, str(status.get("reason", "")), str(status.get("message", "")))
    except (json.JSONDecodeError, AttributeError):
        return ApiError(answer.status_code, "", answer.text)


def _selecting(labels: str) -> dict[str, str]:
    return {"labelSelector": labels} if labels else {}
