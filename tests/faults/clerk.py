"""Asking for many virtual clusters at a time."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from dev.settings_names import ROOT
from localkube.lifetime import dies_with_parent


class Clerk:
    """The process of tests/faults/clerk_main.py."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.clerk_main"],
            cwd=ROOT,
            env={**environment, "DJANGO_SETTINGS_MODULE": "controlplane.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=dies_with_parent(),
        )

    def asked(self, **about: Any) -> Any:
        """Its answer; what it wrote to stderr is the reason where there is none."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(about), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the clerk ended"
        return json.loads(answer)

    def stop(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)
