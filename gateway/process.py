"""The gateway as a process: `python -m gateway`."""

import asyncio
import os
import re
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client import start_http_server
from urllib3.util import parse_url

from clusters.gateway_address import gateway_urls
from clusters.services.cluster_uses import cluster_uses_add
from clusters.services.gateway_access import caller_of, callers_still
from clusters.services.gateway_requests import gateway_requests_add
from clusters.services.signal_sources import GATEWAY, signal_source_ended, signal_source_written
from clusters.services.waking import wake_for
from gateway import metrics
from gateway.bookkeeping import Bookkeeper
from gateway.certificate import Certificate
from gateway.database import Database, DatabaseAway
from gateway.door import Door
from gateway.doorman import Doorman, Questions
from gateway.health import Health, Readiness
from gateway.limits import Limits
from gateway.names import Names
from gateway.revisions import Revisions
from gateway.server import Server
from gateway.targets import road_finder, targets_of
from gateway.upstreams import Upstreams
from gateway.waking import Waker, WakeRules
from provisioning.drivers.clients import Clients

log = structlog.get_logger(__name__)

TIDY_SECONDS = 10.0
BATCH_SECONDS = 120.0
"""A batch that is only slow must not be taken for one that was not written: it would be written twice."""


class Gateway:
    """All parts of one process, put together from Django's settings."""

    def __init__(self) -> None:
        self._database = Database(threads=settings.GATEWAY_DATABASE_THREADS)
        # a thread of their own: a slow batch delays nobody who wants in
        self._books_database = Database(threads=1, patience=BATCH_SECONDS)
        self._name = f"{GATEWAY}{socket.gethostname()[:100]}:{os.getpid()}"
        self._books = Bookkeeper(
            self._books_database,
            uses_add=cluster_uses_add,
            requests_add=gateway_requests_add,
            written=lambda until: signal_source_written(name=self._name, until=until),
        )
        # and so are those who are in already: no crowd of unknown tokens makes them look forgotten
        self._rechecks = Database(threads=1)
        self._moves = Database(threads=1)
        self._upstreams = Upstreams(road_finder(Clients()))
        self._doorman = Doorman(
            self._database,
            Questions(caller_of, callers_still, targets_of),
            rechecks=self._rechecks,
            moves=self._moves,
            moved=self._upstreams.moved,
        )
        self._limits = Limits(rate=settings.GATEWAY_RATE, streams=settings.GATEWAY_STREAMS)
        self._readiness = Readiness(lambda: self._database.ask(_database_look))
        names = _names()
        door = Door(
            names=names,
            doorman=self._doorman,
            upstreams=self._upstreams,
            limits=self._limits,
            rules=WakeRules(re.compile(settings.GATEWAY_WAKES), re.compile(settings.GATEWAY_NEVER_WAKES)),
            wake=Waker(self._database, wake_for).wake,
            book=self._books.book,
            hold=self._books.held,
            revisions=Revisions(settings.GATEWAY_REVISIONS_SECONDS),
        )
        self._certificate = Certificate.of_settings()
        self._server = Server(
            door,
            Health(self._readiness, names),
            tls=self._certificate.context if self._certificate else None,
            connections=settings.GATEWAY_CONNECTIONS,
            newcomers=settings.GATEWAY_NEWCOMERS,
        )

    async def run(self, stopping: asyncio.Event, started: Callable[[int], None]) -> None:
        """Until `stopping`; then what is under way has the grace time to end."""
        tending = [
            asyncio.create_task(work)
            for work in (
                self._doorman.watch(),
                self._doorman.follow(),
                self._upstreams.tend(),
                self._readiness.watch(),
                self._tidy(),
                self._books.keep(),
            )
        ]
        host, _, port = settings.GATEWAY_BIND.rpartition(":")
        started(await self._server.start(host.strip("[]"), int(port)))
        await stopping.wait()
        self._readiness.stop()
        await self._server.stop(grace=settings.STOP_GRACE_SECONDS)
        await self._books.close()
        with suppress(DatabaseAway):
            await self._database.ask(signal_source_ended, name=self._name, until=timezone.now())
        for task in tending:
            task.cancel()
        await asyncio.gather(*tending, return_exceptions=True)
        await self._upstreams.close()
        self._books_database.close()
        self._rechecks.close()
        self._moves.close()
        self._database.close()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self._limits.forget()
            if self._certificate is not None:
                self._certificate.renew()


def _database_look() -> None:
    """The thread's own connection is looked at: `connection` stands for that of whoever asks."""
    connection.ensure_connection()


def _names() -> Names:
    urls = [settings.GATEWAY_URL, *gateway_urls().values()]
    hosts = {(parse_url(url).host or "").strip("[]").lower() for url in urls if url}
    return Names(frozenset(hosts), settings.GATEWAY_CLUSTER_DOMAIN)


def serve() -> None:
    """Runs one gateway until SIGTERM or SIGINT."""
    _open_files()
    if settings.GATEWAY_METRICS_BIND:
        host, _, port = settings.GATEWAY_METRICS_BIND.rpartition(":")
        start_http_server(int(port), host, registry=metrics.REGISTRY)
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(Gateway()))


async def _serve(gateway: Gateway) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopping.set)
    await gateway.run(stopping, lambda port: log.info("gateway listens", bind=settings.GATEWAY_BIND, port=port))
    log.info("gateway stopped")


def _open_files() -> None:
    """As many as the system allows: each client is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
