"""A client that keeps a copy of a list by `?since=`, and transactions of others that end when a test says so."""

from typing import Any

import psycopg
from django.db import connection
from rest_framework.test import APIClient


class Copy:
    """What somebody knows of a list: once listed, then only asked what changed."""

    def __init__(self, client: APIClient, noun: str, query: str = "") -> None:
        self._client, self._path, self._query = client, f"/api/v1/{noun}", query
        self.rows: dict[str, dict[str, Any]] = {}
        self.relisted = 0
        self._list()

    def _list(self) -> None:
        self.rows, url, self.revision = {}, f"{self._path}?page_size=200&{self._query}", ""
        while url:
            answer = self._client.get(url)
            assert answer.status_code == 200, answer.content
            self.revision = self.revision or answer["X-Marina-Revision"]
            self.rows |= {row["id"]: row for row in answer.json()["results"]}
            url = answer.json()["next"]

    def ask(self, page_size: int = 50) -> list[str]:
        """Asks until there is no more; the ids that were told as changed or gone, in order."""
        told: list[str] = []
        while True:
            answer = self._client.get(f"{self._path}?since={self.revision}&page_size={page_size}&{self._query}")
            if answer.status_code == 410:
                assert answer.json()["code"] == "relist", answer.content
                self.relisted += 1
                self._list()
                return told
            assert answer.status_code == 200, answer.content
            body = answer.json()
            assert len(body["results"]) + len(body["deleted"]) <= page_size
            self.rows |= {row["id"]: row for row in body["results"]}
            for gone in body["deleted"]:
                assert gone["deleted_at"]
                self.rows.pop(gone["id"], None)
            told += [each["id"] for each in (*body["results"], *body["deleted"])]
            stuck = self.revision == body["revision"]
            self.revision = body["revision"]
            assert answer["Retry-After"] == ("0" if body["more"] else "1")
            if not body["more"] or stuck:
                return told


class Writer:
    """A connection of its own, whose transaction is open until it is ended."""

    def __init__(self) -> None:
        parameters = {**connection.get_connection_params(), "cursor_factory": None}
        known = {
            key: value for key, value in parameters.items() if key in ("dbname", "user", "password", "host", "port")
        }
        # a test that has one wait for another is wrong, and should say so
        self._connection = psycopg.connect(**known, options="-c lock_timeout=5s")

    def write(self, statement: str, *values: Any) -> None:
        """In the open transaction."""
        self._connection.execute(statement, values)

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()
