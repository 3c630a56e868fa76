"""What `kubectl logs` shows of a pod for which nobody said anything else."""

import json
from datetime import UTC, datetime
from pathlib import Path

from localkube.hostfolder import HostFolder

_SENTENCE = (
    "No container runs on this local host, so this pod has no logs: README.md says what local hosts are, and are not."
)


def logs_of_no_container(folder: HostFolder) -> Path:
    """A configuration of kwok that names a file with one line for every pod; an object Logs of its name goes before."""
    folder.config.mkdir(exist_ok=True)
    lines = folder.config / "no-container.log"
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
    lines.write_text(f"{written} stdout F {_SENTENCE}\n")  # the form of container runtimes' log files
    kind = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "ClusterLogs", "metadata": {"name": "no-container"}}
    config = folder.config / "pod-logs.yaml"
    config.write_text(json.dumps(kind | {"spec": {"logs": [{"logsFile": str(lines)}]}}))
    return config
