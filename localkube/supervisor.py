"""The process that is a local host: it starts the programs in order, watches over them, and stops them in order."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import as_file, files

from localkube import commands, hostapi
from localkube.api import KubeApi
from localkube.bootstrap import furnish
from localkube.errors import LocalKubeError
from localkube.hostfolder import HostFolder, HostState, Ports
from localkube.kubelet_gate import KubeletGate
from localkube.pki import Authority
from localkube.podlogs import logs_of_no_container
from localkube.ports import answers, free_ports, is_free
from localkube.programs import Programs
from localkube.tools import HOST_VERSION, Tools
from localkube.virtual.operator import Operator
from localkube.volumes import Volumes

_READY_WITHIN_SECONDS = 60.0
_STAGES = ("node-ready", "pod-running", "pod-succeeded", "pod-gone")


@dataclass(frozen=True)
class Plan:
    """What a supervisor is told on its command line."""

    folder: HostFolder
    tools: Tools
    audit: bool
    parent_pid: int | None
    """Stop everything when this process ends."""


class Supervisor:
    """One host, from its first program to its last."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._folder = plan.folder
        self._stop = asyncio.Event()
        self._failure: str | None = None
        self._state: HostState
        self._programs: Programs

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Until told to stop. Raises LocalKubeError when the host cannot start, or a program of it ended."""
        self._stop_on_signals_and_parent()
        self._state = HostState(self._folder.name, _ports_for(self._folder), os.getpid())
        self._programs = Programs(self._folder, self._state, self._fail)
        try:
            await self._serve(on_ready)
        finally:
            await self._programs.stop()
        if self._failure:
            raise LocalKubeError(self._failure)

    def _stop_on_signals_and_parent(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        if parent := self._plan.parent_pid:
            # Unlike the end of a pipe, this does not stay open in processes that the parent forked meanwhile.
            try:
                watched = os.pidfd_open(parent)
                loop.add_reader(watched, self._parent_ended, watched)
            except ProcessLookupError:
                self._stop.set()
            if os.getppid() != parent:  # its number may be another process's by now
                self._stop.set()

    def _parent_ended(self, watched: int) -> None:
        """It would be told again and again."""
        asyncio.get_running_loop().remove_reader(watched)
        self._stop.set()

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why
        self._stop.set()

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        authority = Authority(self._folder.pki, f"localkube-{self._folder.name}")
        api = await self._start_api(authority)
        gate = await self._start_gate(authority)
        try:
            await self._start_rest(api)
            operator = Operator(
                self._folder, self._plan.tools, self._state.ports, api, gate, self._programs.note_virtual
            )
            parts = (Volumes(api, operator.forget_claim).run(), operator.run(), self._programs.keep_logs_short())
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(part) for part in parts]
                self._programs.note_ready()
                on_ready()
                await self._stop.wait()
                for task in running:
                    task.cancel()
        finally:
            await gate.stop()
            await api.close()

    async def _start_api(self, authority: Authority) -> KubeApi:
        """Etcd, the API server, the admin's kubeconfig, and what a fresh host holds."""
        ports, folder, tools = self._state.ports, self._folder, self._plan.tools
        self._programs.start("etcd", commands.etcd(tools, folder, ports))
        hostapi.write_kubeconfig(folder, self._state, authority)
        command = hostapi.apiserver_command(folder, self._state, authority, tools, audit=self._plan.audit)
        await self._until(lambda: asyncio.sleep(0, answers(ports.etcd)), 0.02, "Etcd")
        self._programs.start("kube-apiserver", command)
        api = KubeApi(self._state.server, authority.certificate_file, token=hostapi.admin_token(folder))
        await self._until(api.is_ready, 0.05, "The API server")
        await furnish(api, host=folder.name, kubelet_port=ports.kubelet, version=HOST_VERSION)
        return api

    async def _start_gate(self, authority: Authority) -> KubeletGate:
        certificate = authority.issue_files("kubelet", "kubelet", hosts=["127.0.0.1"])
        gate = KubeletGate(self._state.ports.kubelet, self._state.ports.kwok, certificate)
        await gate.start()
        return gate

    async def _start_rest(self, api: KubeApi) -> None:
        """Returns when pods can be created."""
        tools, folder, pki = self._plan.tools, self._folder, self._folder.pki
        signing, authority = pki / "service-accounts.key", pki / "ca.crt"
        manager = commands.controller_manager(tools, folder.kubeconfig, signing, authority)
        self._programs.start("kube-controller-manager", manager)
        self._programs.start("kube-scheduler", commands.scheduler(tools, folder.kubeconfig))
        with as_file(files("localkube") / "stages") as stages:
            configs = [*(stages / f"{name}.yaml" for name in _STAGES), logs_of_no_container(folder)]
            self._programs.start("kwok", commands.kwok(tools, folder.kubeconfig, self._state.ports, configs))
        await self._until(lambda: hostapi.controllers_work(api), 0.05, "The controller-manager")

    async def _until(self, holds: Callable[[], Awaitable[bool]], every: float, what: str) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_WITHIN_SECONDS
        while not await holds():
            if self._stop.is_set():
                raise LocalKubeError(self._failure or f"Host {self._folder.name!r} was stopped before it was ready.")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalKubeError(f"{what} of host {self._folder.name!r} did not become ready within 60 s.")
            await asyncio.sleep(every)


def _ports_for(folder: HostFolder) -> Ports:
    """The same as last time, since kubeconfigs in use name one; refused when another program has one now."""
    if not (last := folder.read_state()):
        return Ports(*free_ports(5))
    for use, port in vars(last.ports).items():
        if not is_free(port):
            raise LocalKubeError(
                f"Port {port} on 127.0.0.1, which host {folder.name!r} uses for {use.replace('_', ' ')}, "
                "is taken by another program: end that program, or delete the host's folder to start afresh."
            )
    return last.ports


def supervise(plan: Plan) -> int:
    """The whole life of a supervisor process. Its first line on stdout is `ready`, or `error: ` and why."""
    lock = plan.folder.lock()
    if lock is None:
        print(f"error: Host {plan.folder.name!r} already has a supervisor.", flush=True)
        return 1
    with lock:
        try:
            asyncio.run(Supervisor(plan).run(_say_ready))
        except LocalKubeError as error:
            print(f"error: {error}", flush=True)
            return 1
    return 0


def _say_ready() -> None:
    """Tells the starter, then lets go of its pipe: what is printed later goes to the log."""
    print("ready", flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
