"""A loopback port-forward to a virtual cluster's API, for hosts that publish no endpoint."""

import re
from collections.abc import Mapping
from pathlib import Path

from dev.processes import Processes, Program
from dev.waiting import wait_until

_API_PORT = 8443
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")


def port_forward(
    *, kubectl: Path, kubeconfig: Path, namespace: str, pod: str, processes: Processes, environment: Mapping[str, str]
) -> str:
    """Opens it with the host's own kubeconfig; returns the address. It lasts as long as `processes` do."""
    command: list[str | Path] = [
        kubectl,
        "--kubeconfig",
        kubeconfig,
        "--namespace",
        namespace,
        "port-forward",
        "--address",
        "127.0.0.1",
    ]
    program = Program(
        f"port-forward-{pod}", [*command, f"pod/{pod}", f":{_API_PORT}"], dict(environment), kubeconfig.parent
    )
    process = processes.start(program)

    def ports() -> list[str]:
        return _FORWARDING.findall(process.log.read_text())

    wait_until(
        lambda: bool(ports()),
        seconds=30,
        what=f"The port-forward to pod {pod} did not open",
        alive=process.require_running,
    )
    return f"https://127.0.0.1:{ports()[0]}"
