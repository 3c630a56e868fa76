"""A Marina to measure: database and broker of its own, Django in this process, Celery workers beside it."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dev.backing import backing_of
from dev.environment import generated_secrets, of_the_machine
from dev.processes import Process, Processes, Program
from dev.settings_names import ROOT

FOLDER = ROOT / ".marina" / "bench"
LOOK_SECONDS = 0.05
"""Between two looks whether something that is measured has ended."""


@dataclass(frozen=True)
class Bench:
    """What a part of the measurements works with. Django is set up in this process."""

    processes: Processes
    environment: Mapping[str, str]

    def worker(self, name: str, *, app: str, queues: str, threads: int, **settings: str) -> Process:
        """A Celery worker of the given app, as production starts them; ends with the bench."""
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "--pool", "threads", "-c", str(threads)]
        quiet = ["-Q", queues, "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        environment = {**self.environment, **settings}
        return self.processes.start(Program(name, [*command, *quiet, "--hostname", f"{name}@%h"], environment, ROOT))


@contextmanager
def bench(**settings: str) -> Iterator[Bench]:
    """Servers that live as long as the block; everything they keep is thrown away."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    processes = Processes(FOLDER / "logs")
    backing = backing_of(folder=FOLDER, processes=processes, database="marina", configured={})
    try:
        backing.start()
        assert backing.postgres
        environment = {
            **of_the_machine(),
            **generated_secrets(FOLDER / "secrets.json"),
            "DATABASE_URL": backing.postgres.create_database("marina"),
            "BROKER_URL": backing.broker_url,
            "MARINA_STATE_FOLDER": str(FOLDER / "state"),
            "DJANGO_SETTINGS_MODULE": "controlplane.settings",
            "LOG_LEVEL": "WARNING",
            **settings,
        }
        os.environ.update(environment)
        _django()
        yield Bench(processes, environment)
    finally:
        processes.stop_all()
        backing.remove_sockets()


def _django() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", "--no-input", verbosity=0)
