"""The process that is a local host: it starts the programs in order, watches over them, and stops them in order."""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib.resources import as_file, files

from localkube import commands, kubeconfig
from localkube.api import ApiError, KubeApi
from localkube.bootstrap import furnish
from localkube.children import Child, cut_log
from localkube.errors import LocalKubeError
from localkube.hostfolder import HostFolder, HostState, Ports
from localkube.kubelet_gate import KubeletGate
from localkube.pki import Authority, signing_key, write_private
from localkube.ports import free_ports, is_free
from localkube.tools import HOST_VERSION, Tools
from localkube.virtual.operator import Operator
from localkube.volumes import Volumes

_READY_WITHIN_SECONDS = 60.0
_LOOK_AT_LOGS_EVERY_SECONDS = 15.0
_STAGES = ("node-ready", "pod-running", "pod-succeeded", "pod-gone")
_AUDIT_POLICY = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"


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
        self._core: list[Child] = []
        self._state: HostState

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Until told to stop. Raises LocalKubeError when the host cannot start, or a program of it ended."""
        self._stop_on_signals_and_parent()
        self._state = HostState(self._folder.name, self._ports(), os.getpid())
        self._folder.write_state(self._state)
        try:
            await self._serve(on_ready)
        finally:
            await self._stop_core()
            self._folder.write_state(replace(self._state, ready=False, children={}))
        if self._failure:
            raise LocalKubeError(self._failure)

    def _stop_on_signals_and_parent(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        if parent := self._plan.parent_pid:
            # Unlike the end of a pipe, this does not stay open in processes that the parent forked meanwhile.
            loop.add_reader(os.pidfd_open(parent), self._stop.set)
            if os.getppid() != parent:
                self._stop.set()

    def _ports(self) -> Ports:
        """The same as last time, since kubeconfigs in use name one; refused when another program has one now."""
        if not (last := self._folder.read_state()):
            return Ports(*free_ports(5))
        for use, port in vars(last.ports).items():
            if not is_free(port):
                raise LocalKubeError(
                    f"Port {port} on 127.0.0.1, which host {self._folder.name!r} uses for {use.replace('_', ' ')}, "
                    "is taken by another program: end that program, or delete the host's folder to start afresh."
                )
        return last.ports

    async def _serve(self, on_ready: Callable[[], None]) -> None:
        authority = Authority(self._folder.pki, f"localkube-{self._folder.name}")
        api = await self._start_api(authority)
        gate = await self._start_gate(authority)
        try:
            await self._start_rest()
            await self._until(lambda: _controllers_work(api), 0.05, "The controller-manager")
            operator = Operator(self._folder, self._plan.tools, self._state.ports, api, gate, self._note_children)
            volumes = Volumes(api, operator.forget_claim)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(part) for part in (volumes.run(), operator.run(), self._cut_logs())]
                self._note_children(ready=True)
                on_ready()
                await self._stop.wait()
                for task in running:
                    task.cancel()
        finally:
            await gate.stop()
            await api.close()

    async def _start_api(self, authority: Authority) -> KubeApi:
        """Etcd, the API server, the admin's kubeconfig, and what a fresh host holds."""
        ports, folder = self._state.ports, self._folder
        self._start("etcd", commands.etcd(self._plan.tools, folder, ports))
        token = self._admin_token()
        command = self._apiserver_command(authority, token)
        await self._until(lambda: asyncio.sleep(0, not is_free(ports.etcd)), 0.02, "Etcd")
        self._start("kube-apiserver", command)
        text = kubeconfig.with_token(
            name=folder.name, server=self._state.server, authority=authority.certificate, token=token
        )
        write_private(folder.kubeconfig, text.encode())
        api = KubeApi(self._state.server, authority.certificate_file, token=token)
        await self._until(api.is_ready, 0.05, "The API server")
        await furnish(api, host=folder.name, kubelet_port=ports.kubelet, version=HOST_VERSION)
        return api

    def _apiserver_command(self, authority: Authority, token: str) -> commands.Command:
        ports, folder = self._state.ports, self._folder
        certificate, key = authority.issue_files("apiserver", "kube-apiserver", hosts=["127.0.0.1", "localhost"])
        tokens = folder.config / "tokens.csv"
        folder.config.mkdir(exist_ok=True)
        write_private(tokens, f'{token},admin,admin,"system:masters"\n'.encode())
        policy = folder.config / "audit-policy.yaml"
        policy.write_text(_AUDIT_POLICY)
        server = commands.ApiServer(
            binary=self._plan.tools.kube_apiservers[HOST_VERSION],
            port=ports.api,
            etcd_port=ports.etcd,
            etcd_prefix="/host",
            certificate=certificate,
            key=key,
            client_authority=authority.certificate_file,
            signing_key=signing_key(folder.pki / "service-accounts.key"),
        )
        extras = commands.host_apiserver_extras(folder, tokens, policy if self._plan.audit else None)
        return [*commands.apiserver(server), *extras]

    def _admin_token(self) -> str:
        path = self._folder.pki / "admin-token"
        if not path.exists():
            write_private(path, secrets.token_hex(32).encode())
        return path.read_text()

    async def _start_gate(self, authority: Authority) -> KubeletGate:
        certificate = authority.issue_files("kubelet", "kubelet", hosts=["127.0.0.1"])
        gate = KubeletGate(self._state.ports.kubelet, self._state.ports.kwok, certificate)
        await gate.start()
        return gate

    async def _start_rest(self) -> None:
        tools, folder, pki = self._plan.tools, self._folder, self._folder.pki
        signing, authority = pki / "service-accounts.key", pki / "ca.crt"
        manager = commands.controller_manager(tools, folder.kubeconfig, signing, authority)
        self._start("kube-controller-manager", manager)
        self._start("kube-scheduler", commands.scheduler(tools, folder.kubeconfig))
        with as_file(files("localkube") / "stages") as stages:
            paths = [stages / f"{name}.yaml" for name in _STAGES]
            self._start("kwok", commands.kwok(tools, folder.kubeconfig, self._state.ports, paths))

    def _start(self, name: str, command: commands.Command) -> None:
        child = Child(name, command, self._folder.logs / f"{name}.log")
        self._core.append(child)
        asyncio.get_running_loop().create_task(self._fail_when_ended(child), name=f"watch {name}")
        self._note_children()

    async def _fail_when_ended(self, child: Child) -> None:
        code = await child.ended()
        if not self._stop.is_set():
            self._failure = f"{child.name} of host {self._folder.name!r} ended with code {code}: {child.last_words()}"
            self._stop.set()

    async def _until(self, holds: Callable[[], Awaitable[bool]], every: float, what: str) -> None:
        deadline = asyncio.get_running_loop().time() + _READY_WITHIN_SECONDS
        while not await holds():
            if self._stop.is_set():
                raise LocalKubeError(self._failure or f"Host {self._folder.name!r} was stopped before it was ready.")
            if asyncio.get_running_loop().time() > deadline:
                raise LocalKubeError(f"{what} of host {self._folder.name!r} did not become ready within 60 s.")
            await asyncio.sleep(every)

    def _note_children(self, virtual: dict[str, int] | None = None, ready: bool | None = None) -> None:
        """Keeps the state file true; called whenever a program starts or ends."""
        core = {child.name: child.pid for child in self._core if child.running}
        others = {name: pid for name, pid in self._state.children.items() if "/" in name}
        children = core | (others if virtual is None else virtual)
        self._state = replace(self._state, children=children, ready=self._state.ready if ready is None else ready)
        self._folder.write_state(self._state)

    async def _cut_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_LOGS_EVERY_SECONDS)
            for log in self._folder.logs.rglob("*.log"):
                with contextlib.suppress(FileNotFoundError):
                    cut_log(log)

    async def _stop_core(self) -> None:
        """Etcd last: an API server whose etcd is gone hangs for a minute and holds its port."""
        self._stop.set()
        etcd = [child for child in self._core if child.name == "etcd"]
        await asyncio.gather(*(child.stop() for child in self._core if child not in etcd))
        await asyncio.gather(*(child.stop() for child in etcd))


async def _controllers_work(api: KubeApi) -> bool:
    """Before this ServiceAccount is there, no pod can be created."""
    try:
        await api.get("/api/v1/namespaces/default/serviceaccounts/default")
    except ApiError:
        return False
    return True


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
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
