"""Asking the database from asyncio: in a few threads, each with a connection of its own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connections

log = structlog.get_logger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

ANSWER_SECONDS: Final = 6.0
"""A database that takes longer is away; what it says later is not heard."""

DATABASE_ERRORS = (DatabaseError, InterfaceError)


class DatabaseAway(Exception):
    """The database could not be asked. What it would have said is not known."""


class Database:
    """Runs functions that use the ORM. They get nothing of the event loop, and return values that need no query."""

    def __init__(self, *, threads: int = 4, patience: float = ANSWER_SECONDS) -> None:
        self._patience = patience
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")

    async def ask(self, question: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result or error; DatabaseAway where the database did not answer."""
        answer = asyncio.get_running_loop().run_in_executor(self._pool, lambda: asked(question, *args, **kwargs))
        try:
            async with asyncio.timeout(self._patience):
                return await answer
        except TimeoutError:
            raise DatabaseAway(f"The database did not answer within {self._patience:g} s.") from None

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def asked(question: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same in a thread that is there already."""
    close_old_connections()
    try:
        return question(*args, **kwargs)
    except DATABASE_ERRORS as error:
        connections.close_all()
        log.warning("the database did not answer", error=str(error).strip())
        raise DatabaseAway(str(error)) from error
