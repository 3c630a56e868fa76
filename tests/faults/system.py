"""One Marina to do harm to: web server and workers as processes, on a database and a broker that can be taken away."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from dev.demo_people import demo_people_make
from dev.processes import Process, Processes, Program
from dev.stack import Stack, StackPlan
from localkube.ports import free_ports
from tests.e2e.api import Api
from tests.faults.clerk import Clerk
from tests.faults.servers import Broker, Servers
from tests.faults.waiting import until
from tests.migrated import MIGRATED

Row = dict[str, Any]
ENDED = ("Succeeded", "Failed", "Aborted")
FAST = {
    "LEASE_SECONDS": "3",
    "HEARTBEAT_SECONDS": "0.5",
    "UNCLAIMED_SECONDS": "4",
    "RETRY_BASE_SECONDS": "0.2",
    "RETRY_CAP_SECONDS": "2",
    "LOG_FORMAT": "json",
}


@dataclass(frozen=True)
class Made:
    """Where a system is made, and of what."""

    name: str
    folder: Path
    servers: Servers
    helm: Path
    broker_database: int
    settings: Mapping[str, str]
    application: str = "controlplane"


class System:
    """Two workers unless told otherwise; every worker has a log of its own, which stays."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.servers = made.servers
        self.broker: Broker = made.servers.broker(made.broker_database)
        self.processes = Processes(made.folder / "logs")
        self._count = self._names = 0
        self._workers: list[Process] = []
        plan = StackPlan(
            folder=made.folder,
            owner_url=made.servers.postgres.create_database(made.name, like=MIGRATED),
            database_url=made.servers.postgres.application_url(made.name),
            broker_url=self.broker.url,
            port=free_ports(1)[0],
            helm=made.helm,
            settings={**FAST, **made.settings},
        )
        self.stack = Stack(plan, self.processes)

    def start(self, *, probes: bool = False) -> None:
        """Web server, gateway and two workers, and people who can log in."""
        self.stack.migrate()
        self._clerk = Clerk(self.stack.environment)
        self.stack.start_web()
        self.stack.start_gateway()
        self.start_workers(2)
        if probes:
            self.stack.start_probes()
        self.stack.wait_until_ready()
        people = demo_people_make(self.stack)
        self.passwords = [person.password for person in people.everybody]
        self.project = people.project
        self.developer = Api(server=self.stack.url, handle=people.developer.handle, password=people.developer.password)
        self.staff = Api(server=self.stack.url, handle=people.staff.handle, password=people.staff.password)

    # its workers

    @property
    def workers(self) -> list[Process]:
        """Those that run."""
        self._workers = [worker for worker in self._workers if worker.running]
        return list(self._workers)

    def start_workers(self, count: int = 1, **environment: str) -> list[Process]:
        """As many more; returns when they wrote that they are at work."""
        started = [self._start_worker(environment) for _ in range(count)]
        until(
            lambda: all("worker started" in worker.log.read_text() for worker in started),
            "the workers did not start",
        )
        return started

    def _start_worker(self, environment: Mapping[str, str]) -> Process:
        self._count += 1
        program = self.stack.worker_program(f"{self.made.name}-{self._count}", application=self.made.application)
        started = Process(_with(program, environment), self.processes.logs / f"{program.name}.log")
        self._workers.append(started)
        return started

    def whole(self, count: int = 2) -> None:
        """Database, broker and as many workers as there should be, whatever a test did to them."""
        self.servers.whole()
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGCONT)
        missing = count - len(self.workers)
        if missing > 0:
            self.start_workers(missing)

    def worker_of(self, operation: str) -> Process:
        """The worker that holds the operation's lease. Fails where none of ours does."""
        pid = int(self.operation(operation)["lease_owner"].split(":")[1])
        (found,) = [worker for worker in self.workers if worker.pid == pid]
        return found

    def restart_rest(self) -> None:
        """Web server, probes and beat again, after they were stopped one by one."""
        self.processes.stop("beat", "probes", "web")
        self.stack.start_web()
        self.stack.start_probes()
        self.stack.wait_until_ready()

    @property
    def logs(self) -> list[Path]:
        """Of every process it ever had."""
        return sorted(self.processes.logs.glob("*.log"))

    @property
    def credentials(self) -> list[str]:
        """What people sign in with."""
        return [*self.passwords, self.developer.token, self.staff.token]

    def stop(self) -> None:
        """All of it."""
        for worker in self.workers:
            os.kill(worker.pid, signal.SIGCONT)
            worker.ask_to_stop()
        for worker in self._workers:
            worker.ended_by(time.monotonic() + 10)
        self.processes.stop_all()
        self._clerk.stop()

    # its database

    def ask(self, statement: LiteralString, *values: Any) -> list[Row]:
        """Rows of the database as its operator sees them."""
        url = self.stack.environment["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(statement, values or None).fetchall()

    def change(self, statement: LiteralString, *values: Any) -> None:
        """Writes to it."""
        with psycopg.connect(self.stack.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement, values or None)

    def operation(self, operation: str) -> Row:
        (found,) = self.ask("SELECT * FROM clusters_operation WHERE id = %s", operation)
        return found

    def operations(self, ids: Sequence[str]) -> list[Row]:
        return self.ask("SELECT * FROM clusters_operation WHERE id = ANY(%s::uuid[]) ORDER BY id", list(ids))

    def events(self, operation: str) -> list[Row]:
        return self.ask("SELECT * FROM clusters_operationevent WHERE operation_id = %s ORDER BY id", operation)

    def everything(self, ids: Sequence[str]) -> list[list[Row]]:
        """All that the database says of these operations and of their clusters."""
        operations = self.operations(ids)
        clusters = [row["virtual_cluster_id"] for row in operations]
        rows = self.ask("SELECT * FROM clusters_virtualcluster WHERE id = ANY(%s::uuid[]) ORDER BY id", clusters)
        return [
            # when webhooks were told of its end is noted later, by another job
            [{name: value for name, value in row.items() if name != "announced_at"} for row in operations],
            self.ask(
                "SELECT * FROM clusters_operationevent WHERE operation_id = ANY(%s::uuid[]) ORDER BY id", list(ids)
            ),
            # as is what surveys see in it
            [{name: value for name, value in row.items() if name not in ("serving", "changed_in")} for row in rows],
            self.ask("SELECT * FROM clusters_hostslot WHERE operation_id = ANY(%s::uuid[])", list(ids)),
        ]

    def ended(self, ids: Sequence[str], *, seconds: float = 90) -> list[Row]:
        """The operations when all have ended; fails with those that did not."""
        left: list[Row] = []

        def over() -> bool:
            left[:] = [row for row in self.operations(ids) if row["state"] not in ENDED]
            return not left

        try:
            until(over, "the operations did not end", seconds=seconds)
        except Exception as error:
            raise AssertionError(f"{error} Left: {_shown(left)}") from error
        return self.operations(ids)

    def started(self) -> int:
        """A number that no other asked for: for names."""
        self._names += 1
        return self._names

    def create(self, name: str, host: str) -> str:
        """Asks for a virtual cluster over the API; the id of its operation."""
        return str(self.developer.create(name, project=self.project, host=host)["id"])

    def create_many(self, count: int, host: str, prefix: str) -> list[str]:
        """By the service that the API calls, all in one process: a hundred requests take longer than a fault."""
        made: list[str] = self._clerk.asked(count=count, host=host, prefix=prefix, handle=self.developer.handle)
        return made


def _with(program: Program, environment: Mapping[str, str]) -> Program:
    return replace(program, environment={**program.environment, **environment})


def _shown(rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    keys = ("id", "state", "step", "attempt", "message", "run_after", "published_at", "lease_owner", "waiting_host_id")
    return [tuple(row[key] for key in keys) for row in rows][:5]


def freeze(worker: Process) -> None:
    """SIGSTOP: it does nothing any more, and does not know it."""
    os.kill(worker.pid, signal.SIGSTOP)
    until(lambda: state_of(worker.pid) == "T", "it did not stop")


def thaw(worker: Process) -> None:
    os.kill(worker.pid, signal.SIGCONT)


def state_of(pid: int) -> str:
    """As the kernel has it: R, S, T ...; "" for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def timed(condition: Callable[[], object], what: str, *, seconds: float = 60) -> float:
    """How long it took until it held."""
    begun = time.monotonic()
    until(condition, what, seconds=seconds)
    return time.monotonic() - begun
