"""How the tests drive real parts: kubectl and helm as commands, and waiting with a deadline."""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from localkube import LocalHost, Tools

CHART = Path(__file__).parents[2] / "localkube" / "charts" / "vcluster"
ENDPOINT = "localkube.marina.dev/endpoint"
Found = TypeVar("Found")


def wait_for(what: str, look: Callable[[], Found], within: float = 20.0) -> Found:
    """The first true thing that `look` returns; a failed command counts as "not yet"."""
    deadline = time.monotonic() + within
    last: object = None
    while time.monotonic() < deadline:
        try:
            if found := look():
                return found
            last = found
        except subprocess.CalledProcessError as error:
            last = error.stderr
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {within:.0f} s; last seen: {last!r}")


@dataclass(frozen=True)
class Kubectl:
    """kubectl against one cluster."""

    binary: Path
    kubeconfig: Path

    def __call__(self, *args: str, stdin: str | None = None) -> str:
        command: list[str | Path] = [self.binary, f"--kubeconfig={self.kubeconfig}", *args]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout

    def json(self, *args: str) -> Any:
        return json.loads(self(*args, "-o", "json"))

    def items(self, *args: str) -> list[Any]:
        return list(self.json("get", *args)["items"])

    def apply(self, document: dict[str, Any]) -> None:
        self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(document))

    def refusal(self, *args: str, stdin: str | None = None) -> str:
        """What the API said when it refused this command."""
        try:
            output = self(*args, stdin=stdin)
        except subprocess.CalledProcessError as error:
            return str(error.stderr)
        raise AssertionError(f"{args} was not refused: {output}")

    def raw(self, path: str) -> Any:
        return json.loads(self("get", "--raw", path))


@dataclass(frozen=True)
class VirtualCluster:
    """One release of the chart, named like its namespace is not."""

    host: LocalHost
    tools: Tools
    name: str
    namespace: str

    @property
    def on_host(self) -> Kubectl:
        return Kubectl(self.tools.kubectl, self.host.kubeconfig)

    def helm(self, *args: str) -> str:
        command: list[str | Path] = [
            self.tools.helm,
            f"--kubeconfig={self.host.kubeconfig}",
            f"--namespace={self.namespace}",
            *args,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    def install(self, **values: str | int | bool) -> None:
        """Values as Helm's --set takes them, with `__` for the dots."""
        settings = [f"--set={key.replace('__', '.')}={json.dumps(value)}" for key, value in values.items()]
        settings = [setting.replace('"', "") for setting in settings]
        self.helm("upgrade", "--install", self.name, str(CHART), *settings)

    def get(self, kind: str, name: str, *args: str) -> Any:
        return self.on_host.json("get", kind, name, f"--namespace={self.namespace}", *args)

    def names(self, kind: str, *args: str) -> set[str]:
        return {item["metadata"]["name"] for item in self.on_host.items(kind, f"--namespace={self.namespace}", *args)}

    def pod(self) -> Any:
        return self.get("pod", f"{self.name}-0")

    def is_ready(self) -> bool:
        conditions = self.pod().get("status", {}).get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def wait_ready(self) -> None:
        wait_for(f"{self.name}-0 ready", self.is_ready, within=60)

    def wait_replaced(self, old_uid: str) -> None:
        wait_for("a new pod that is ready", lambda: self.pod()["metadata"]["uid"] != old_uid and self.is_ready())

    def secret(self) -> dict[str, bytes]:
        data = self.get("secret", f"vc-{self.name}")["data"]
        return {key: base64.b64decode(value) for key, value in data.items()}

    def endpoint(self) -> str:
        return str(self.get("service", self.name)["metadata"]["annotations"][ENDPOINT])

    def inside(self) -> Kubectl:
        """kubectl in the virtual cluster, by the secret vc-NAME and the published address."""
        config = yaml.safe_load(self.secret()["config"])
        config["clusters"][0]["cluster"]["server"] = self.endpoint()
        path = self.host.folder / f"inside-{self.namespace}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return Kubectl(self.tools.kubectl, path)

    def synced(self, virtual_namespace: str = "default") -> list[Any]:
        """The host copies of the pods of one namespace of this cluster."""
        labels = f"vcluster.loft.sh/managed-by={self.name},vcluster.loft.sh/namespace={virtual_namespace}"
        return self.on_host.items("pods", f"--namespace={self.namespace}", f"--selector={labels}")

    @contextmanager
    def forwarded(self) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        """`kubectl port-forward` to port 8443 of the pod: the local address, and the process."""
        command: list[str | Path] = [self.tools.kubectl, f"--kubeconfig={self.host.kubeconfig}"]
        command += [f"--namespace={self.namespace}"]
        command += ["port-forward", f"pod/{self.name}-0", ":8443"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as forward:
            assert forward.stdout
            line = forward.stdout.readline()  # Forwarding from 127.0.0.1:PORT -> 8443
            try:
                yield "https://" + line.split()[2], forward
            finally:
                forward.kill()


def pod_spec(name: str, **spec: Any) -> dict[str, Any]:
    """A pod with one container, and whatever else is given."""
    container = {"name": "main", "image": "nginx"} | spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], **spec},
    }


def phase(kubectl: Kubectl, name: str, namespace: str = "default") -> str:
    return str(kubectl.json("get", "pod", name, f"--namespace={namespace}")["status"]["phase"])


def processes_of(folder: Path) -> dict[int, str]:
    """Every live process whose command line names that folder, by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(folder) in command and state != "Z":
                found[int(entry.name)] = command
    return found
