"""`make e2e-host KUBECONFIG=file`: the journeys of tests/e2e on any cluster, with any chart."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.demo_hosts import given_host
from dev.errors import DevError
from dev.settings_names import ROOT

_USAGE = (
    "Say which cluster: make e2e-host KUBECONFIG=file [CHART_FOLDER=... or CHART_REPOSITORY=... CHART_VERSION=...] "
    "[EXPOSURE=LoadBalancer]"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Pytest's exit code; 2 with a sentence where the kubeconfig does not do."""
    parser = argparse.ArgumentParser(prog="make e2e-host", description=__doc__)
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--exposure", default="None")
    parser.add_argument("pytest", nargs="*")
    found = parser.parse_args(arguments)
    if not found.kubeconfig:
        print(_USAGE, file=sys.stderr)
        return 2
    try:
        host = given_host(Path(found.kubeconfig), found.exposure)
    except DevError as error:
        print(error, file=sys.stderr)
        return 2
    environment = {
        **os.environ,
        "MARINA_E2E_KUBECONFIG": str(host.kubeconfig),
        "MARINA_E2E_EXPOSURE": host.exposure,
    }
    environment.pop("KUBECONFIG", None)
    command = [sys.executable, "-m", "pytest", "tests/e2e", *found.pytest]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
