"""`make demo`: a whole Marina on this machine, and its main job done through it as any user would."""

import argparse
import fcntl
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from dev.backing import backing_of
from dev.demo_hosts import LOCAL_CHART, DemoHost, given_host, local_hosts
from dev.demo_journey import Journey
from dev.demo_people import DemoPeople, demo_people_make
from dev.errors import DevError
from dev.processes import Processes
from dev.progress import Progress
from dev.settings_names import ROOT
from dev.stack import Stack, StackPlan
from dev.static_files import collect_static
from dev.terminal import Terminal
from localkube import LocalKube, LocalKubeError, Tools, ensure_tools
from localkube.ports import free_ports, is_free

DEFAULT_FOLDER = ROOT / ".marina" / "demo"
_PREFERRED_PORT, _PREFERRED_GATEWAY_PORT = 8000, 8443

LOCAL_HOSTS_ARE = """\
The hosts harbor-east and harbor-west are real Kubernetes control planes on this machine (etcd, API server, controllers,
scheduler), and so is the API server of every virtual cluster. But no container runs on them: kwok plays the kubelet, so
pods become Running with no process behind them (no logs, no exec). For containers that run, give the demo a cluster of
yours: make demo KUBECONFIG=file"""


_STAYS = """\
On your cluster stays what Marina made there until you delete it: run `marina delete hello` before you stop the demo."""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    once: bool
    keep: bool
    kubeconfig: Path | None
    exposure: str
    folder: Path


class Interrupted(BaseException):
    """Ctrl-C, or an end that was asked for by a signal."""


class Demo:
    """One run, from the first process to the last."""

    def __init__(self, options: Options, progress: Progress) -> None:
        self._options = options
        self._folder = options.folder
        self._progress = progress
        self._processes = Processes(self._folder / "logs")
        self._closing = ExitStack()

    def run(self) -> None:
        """Until it is interrupted, or done with --once. Raises DevError or LocalKubeError with what went wrong."""
        with self._closing:
            # before anything else is on the way: a wrong file is told of at once
            given = self._options.kubeconfig and given_host(self._options.kubeconfig, self._options.exposure)
            tools = ensure_tools(self._progress.say)
            with ThreadPoolExecutor(2) as pool:
                hosts = pool.submit(lambda: [given] if given else self._local_hosts(tools))
                stack, people = self._marina(tools, pool, local=not given)
                found = hosts.result()
            if not given:
                self._progress.say("The hosts harbor-east and harbor-west are ready.")
            self._journey(stack, people, tools, found)

    def _local_hosts(self, tools: Tools) -> list[DemoHost]:
        kube = LocalKube(folder=self._folder / "hosts", tools=tools)
        self._closing.callback(kube.stop_all)
        return local_hosts(kube)

    def _marina(self, tools: Tools, pool: ThreadPoolExecutor, *, local: bool) -> tuple[Stack, DemoPeople]:
        """All that is Marina's own, while the hosts start."""
        progress, processes = self._progress, self._processes
        backing = backing_of(folder=self._folder, processes=processes, database="marina")
        self._closing.callback(backing.remove_sockets)
        self._closing.callback(processes.stop_all)
        backing.start()
        if backing.postgres:
            backing.postgres.ensure_database("marina")
        progress.say(f"Database ({'own PostgreSQL' if backing.postgres else 'DATABASE_URL'}) and broker answer.")
        plan = StackPlan(
            folder=self._folder,
            database_url=backing.application_url,
            owner_url=backing.database_url,
            broker_url=backing.broker_url,
            port=_preferred(_PREFERRED_PORT),
            gateway_port=_preferred(_PREFERRED_GATEWAY_PORT),
            helm=tools.helm,
            settings={"CHART_FOLDER": str(LOCAL_CHART)} if local else {},
        )
        stack = Stack(plan, processes)
        static = pool.submit(collect_static, stack)
        stack.migrate()
        progress.say("The database has the newest shape.")
        static.result()
        people = pool.submit(demo_people_make, stack)
        self._closing.callback(stack.stop)
        stack.start()
        progress.say("Web server, workers and beat work together (/readyz).")
        return stack, people.result()

    def _journey(self, stack: Stack, people: DemoPeople, tools: Tools, hosts: Sequence[DemoHost]) -> None:
        programs = list(dict.fromkeys([Path(sys.executable).parent, tools.kubectl.parent, tools.helm.parent]))
        terminal = Terminal(self._folder, programs, self._progress)
        journey = Journey(stack, people, hosts, terminal, tools.kubectl)
        journey.connect_hosts(agreed=not sys.stdin.isatty())
        journey.use()
        local = not self._options.kubeconfig
        if self._options.once:
            journey.remove()
            if local:
                self._progress.plain(f"\n{LOCAL_HOSTS_ARE}")
            self._progress.say("Done: created, used, deleted, and nothing of it is left on the host.")
        else:
            self._stay(stack, people, terminal, local=local)

    def _stay(self, stack: Stack, people: DemoPeople, terminal: Terminal, *, local: bool) -> None:
        terminal.write_exports(self._folder / "env")
        for line in _where(stack, people, self._folder / "env", local=local):
            self._progress.plain(line)
        quiet = threading.Event()
        while not quiet.wait(0.5):  # a signal ends it
            self._processes.require_running()


def _preferred(port: int) -> int:
    """The same in each run, so that what people keep of it holds on; another one where it is taken."""
    return port if is_free(port) else free_ports(1)[0]


def _where(stack: Stack, people: DemoPeople, exports: Path, *, local: bool) -> list[str]:
    shown = exports.relative_to(ROOT) if exports.is_relative_to(ROOT) else exports
    lines = ["", LOCAL_HOSTS_ARE if local else _STAYS]
    lines += ["", f"Marina runs at {stack.url}", f"  {stack.url}/account       one's account, tokens and sessions"]
    lines += [f"  {stack.url}/admin/        administration", f"  {stack.url}/api/v1/docs   the API, to read and try"]
    lines += [f"kubectl comes in at {stack.gateway_url}", "", "People (passwords are shown only here):"]
    lines += [f"  {person.handle:14}{person.password:22}{person.role}" for person in people.everybody]
    lines += ["", f"The same `marina` in another terminal: . {shown}", "Ctrl-C stops all."]
    return lines


def _options(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself: delete, look for leftovers, stop")
    parser.add_argument("--keep", action="store_true", help="go on with the data of the last run")
    parser.add_argument("--kubeconfig", type=Path, help="use this cluster as the host, with the official chart")
    parser.add_argument("--exposure", default="None", help="how that host publishes virtual APIs (None, LoadBalancer)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where all its data and logs lie")
    return Options(**vars(parser.parse_args(arguments)))


def _lock(folder: Path) -> IO[str]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(folder.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DevError(f"A demo runs in {folder} already. Stop it with Ctrl-C where it runs.") from None
    return lock


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # stopping is bounded: nobody has to ask twice
    raise Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when it was stopped while it stayed up, or did everything with --once; 1 with the reason; 130 interrupted."""
    options = _options(arguments)
    progress = Progress()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with _lock(options.folder):
            if not options.keep:
                shutil.rmtree(options.folder, ignore_errors=True)
            Demo(options, progress).run()
    except (DevError, LocalKubeError) as error:
        print(f"\ndemo: {error}\nLogs of every process: {options.folder / 'logs'}", file=sys.stderr)
        return 1
    except Interrupted:
        progress.plain("\nStopped: every process of the demo has ended.")
        return 0 if (options.folder / "env").exists() else 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
