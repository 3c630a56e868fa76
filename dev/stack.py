"""One running Marina on this machine: web server, workers and beat as processes of their own."""

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev.environment import generated_secrets, marina_settings, of_the_machine
from dev.errors import DevError
from dev.processes import Processes, Program
from dev.settings_names import ROOT
from dev.waiting import wait_until
from localkube.lifetime import dies_with_parent
from localkube.pki import Authority
from localkube.ports import free_ports

CLUSTER_DOMAIN = "clusters.localhost"
"""Of the host name that each virtual cluster has at the gateway."""
_READY_WITHIN_SECONDS = 60.0
_WEB_THREADS = 8
_PROBES_AT_ONCE = "8"


@dataclass(frozen=True)
class StackPlan:
    """What a stack is made of. `settings` go over everything the environment says.

    `owner_url` is whom migrations connect as; empty where one database role does everything. `gateway_port`: where the
    gateway listens.
    """

    folder: Path
    database_url: str
    broker_url: str
    port: int
    helm: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    owner_url: str = ""
    gateway_port: int = field(default_factory=lambda: free_ports(1)[0])


class Stack:
    """Starts and stops its processes in `processes`, which may hold others (database, broker) too."""

    def __init__(self, plan: StackPlan, processes: Processes) -> None:
        self._plan = plan
        self._processes = processes
        self.url = f"http://127.0.0.1:{plan.port}"
        self.gateway_url = f"https://127.0.0.1:{plan.gateway_port}"
        self._authority = Authority(plan.folder / "gateway", "Marina's gateway on this machine")
        self.environment = self._environment()
        """What every process of this Marina gets; also for `manage.py` commands of a test."""

    def migrate(self) -> None:
        """Brings the database to the newest shape."""
        owner = {"DATABASE_OWNER_URL": self._plan.owner_url} if self._plan.owner_url else {}
        self.manage("migrate", "--no-input", **owner)

    def start(self) -> None:
        """Starts all and returns when /readyz says that they work together. Raises DevError with the reason if not."""
        for program in (self._web(), self.gateway_program(), self.worker_program(), self._probes(), self._beat()):
            self._processes.start(program)
        self.wait_until_ready()

    def start_web(self) -> None:
        """The web server alone; does not wait for it."""
        self._processes.start(self._web())

    def start_gateway(self) -> None:
        """The gateway alone; does not wait for it."""
        self._processes.start(self.gateway_program())

    def start_probes(self) -> None:
        """What looks at hosts, and beat, which tells it when; does not wait for them."""
        self._processes.start(self._probes())
        self._processes.start(self._beat())

    def start_worker(self) -> None:
        """A worker again, after `stop("worker")`; does not wait for it."""
        self._processes.start(self.worker_program())

    def stop(self, *names: str) -> None:
        """Stops web, gateway, workers and beat, or those named."""
        self._processes.stop(*(names or ("beat", "probes", "worker", "gateway", "web")))

    def manage(self, *arguments: str, **environment: str) -> str:
        """Runs a manage.py command, with this environment besides its own; returns what it printed.

        Raises DevError with what it said when it fails.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            preexec_fn=dies_with_parent(),
            check=False,
        )
        if done.returncode:
            tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
            raise DevError(f"manage.py {arguments[0]} failed:\n{tail}")
        return done.stdout

    def readiness(self) -> dict[str, str]:
        """What /readyz says of each part, and the gateway's own; their reason while they do not answer."""
        return {**self._web_readiness(), "gateway": self._gateway_readiness()}

    def _gateway_readiness(self) -> str:
        trust = ssl.create_default_context(cafile=self._authority.certificate_file)
        try:
            with urllib.request.urlopen(f"{self.gateway_url}/readyz", timeout=5, context=trust) as answer:  # noqa: S310
                said: bytes = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read()
        except OSError as error:
            return str(error)
        return said.decode()

    def _web_readiness(self) -> dict[str, str]:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:  # noqa: S310 (our own loopback)
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        except OSError as error:
            return {"web": str(error)}
        try:
            parts: dict[str, str] = json.loads(body)
        except json.JSONDecodeError:
            return {"web": f"It answers {body[:200]!r} instead of its state."}
        return parts

    def wait_until_ready(self) -> None:
        """Returns when all parts say "ok". Raises DevError with what the others say."""
        last: dict[str, str] = {}

        def ready() -> bool:
            last.clear()
            try:
                last.update(self.readiness())
            except OSError as error:  # it was in the middle of saying so
                last["web"] = str(error)
            return all(word == "ok" for word in last.values())

        try:
            wait_until(
                ready,
                seconds=_READY_WITHIN_SECONDS,
                what="Marina did not become ready",
                alive=self._processes.require_running,
            )
        except DevError as error:
            said = "; ".join(f"{part}: {word}" for part, word in last.items() if word != "ok")
            raise DevError(f"{error} {said}".strip()) from None

    def _environment(self) -> dict[str, str]:
        plan = self._plan
        return {
            **of_the_machine(),
            **generated_secrets(plan.folder / "secrets.json"),
            **marina_settings(),
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": plan.database_url,
            "DATABASE_OWNER_URL": "",  # for `migrate` alone
            "BROKER_URL": plan.broker_url,
            "MARINA_PUBLIC_URL": self.url,
            **self._gateway_settings(),
            "MARINA_STATE_FOLDER": str(plan.folder / "state"),
            "STATIC_ROOT": str(ROOT / ".marina" / "static"),
            "HELM_BINARY": str(plan.helm),
            **plan.settings,
        }

    def _gateway_settings(self) -> dict[str, str]:
        """The authority is made at the first start and kept, so that kubeconfigs of an earlier run hold on."""
        hosts = ["localhost", "127.0.0.1", "::1", f"*.{CLUSTER_DOMAIN}"]
        certificate, key = self._authority.issue_files("gateway", "localhost", hosts=hosts)
        return {
            "GATEWAY_URL": self.gateway_url,
            "GATEWAY_CLUSTER_DOMAIN": CLUSTER_DOMAIN,
            "GATEWAY_BIND": self.gateway_url.removeprefix("https://"),
            "GATEWAY_CA_FILE": str(self._authority.certificate_file),
            "GATEWAY_TLS_CERT": str(certificate),
            "GATEWAY_TLS_KEY": str(key),
        }

    def gateway_program(self, name: str = "gateway", **settings: str) -> Program:
        """A gateway, of which there may be several; `settings` go over the stack's own."""
        return Program(name, [sys.executable, "-m", "gateway"], self.environment | settings, ROOT)

    def _program(self, name: str, *command: str) -> Program:
        return Program(name, [sys.executable, "-m", *command], self.environment, ROOT)

    def _web(self) -> Program:
        how = ["--workers", "1", "--threads", str(_WEB_THREADS), "--graceful-timeout", "5", "--no-control-socket"]
        how += ["--keep-alive", "75"]  # longer than any client keeps a connection: none sends into one that just closes
        return self._program("web", "gunicorn", "controlplane.wsgi", "--bind", self.url.removeprefix("http://"), *how)

    def worker_program(self, name: str = "worker", *, application: str = "controlplane") -> Program:
        """A worker of operations, of which there may be several; `application` is what celery's -A takes."""
        concurrency = self.environment.get("WORKER_CONCURRENCY", "10")
        return self._celery_worker(name, concurrency, "operations", application)

    def _probes(self) -> Program:
        return self._celery_worker("probes", _PROBES_AT_ONCE, "probes,housekeeping")

    def _celery_worker(self, name: str, concurrency: str, queues: str, application: str = "controlplane") -> Program:
        how = ["--hostname", f"{name}@%h", "--pool", "threads", "--concurrency", concurrency, "-Q", queues]
        # workers have nothing to tell each other: the rows are shared
        quiet = ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        return self._program(name, "celery", "-A", application, "worker", *how, *quiet)

    def _beat(self) -> Program:
        schedule = str(self._plan.folder / "beat-schedule")
        return self._program("beat", "celery", "-A", "controlplane", "beat", "--schedule", schedule, "--pidfile=")
