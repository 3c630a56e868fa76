"""This machine's own kubectl, which has the plugins that an administrator's kubeconfig may need."""

from __future__ import annotations

import base64
import binascii
import json
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from marina_cli.clock import Clock
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.output import note

TOKEN_SECRET_LIMIT = 30.0
"""Seconds in which a cluster fills a token Secret; usually it takes one."""


@dataclass(frozen=True)
class ClusterAddress:
    """How a context reaches its cluster: nothing of who the user is."""

    server: str
    ca_data: str = field(repr=False)
    tls_server_name: str = ""
    proxy_url: str = ""


class Kubectl:
    """kubectl on one context. Its messages are passed on to the person as they come (a login may ask something)."""

    def __init__(self, context: str, environment: Mapping[str, str]) -> None:
        self.context = context
        # plugins of the administrator's kubeconfig have no business with Marina's own token
        self._environment = {name: value for name, value in environment.items() if name != "MARINA_TOKEN"}
        wanted = environment.get("KUBECTL") or "kubectl"
        found = shutil.which(wanted, path=environment.get("PATH"))
        if found is None:
            raise UsageProblem(
                f"{wanted} is not found on this machine.", hint="Install kubectl, or set KUBECTL to where it is."
            )
        self._program = found

    def address(self) -> ClusterAddress:
        """Server and CA of the context; UsageProblem where Marina could not trust that server."""
        view = ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"]
        clusters = self._json(self._run(view, doing="read the kubeconfig")).get("clusters") or [{}]
        cluster = clusters[0].get("cluster") or {}
        if not cluster.get("server"):
            raise UsageProblem(
                f"The context {self.context} names no server.", hint="See `kubectl config get-contexts`."
            )
        if cluster.get("insecure-skip-tls-verify"):
            raise UsageProblem(
                f"The context {self.context} does not check the server's certificate (insecure-skip-tls-verify).",
                hint="Put the cluster's CA into the kubeconfig; Marina never speaks to a server it cannot verify.",
            )
        return ClusterAddress(
            server=str(cluster["server"]),
            ca_data=str(cluster.get("certificate-authority-data") or ""),
            tls_server_name=str(cluster.get("tls-server-name") or ""),
            proxy_url=str(cluster.get("proxy-url") or ""),
        )

    def apply(self, manifest: str) -> None:
        """Apply a manifest; kubectl's own report goes to the person."""
        for line in self._run(["apply", "-f", "-"], doing="apply the manifest", stdin=manifest).splitlines():
            note(f"  {line}")

    def token_create(self, *, account: str, namespace: str, seconds: int) -> str:
        """A bound token of the ServiceAccount; the cluster may grant a shorter time than asked for."""
        create = ["create", "token", account, "-n", namespace, f"--duration={seconds}s"]
        return self._run(create, doing="create a token").strip()

    def token_read(self, *, secret: str, namespace: str, clock: Clock) -> str:
        """The token of a token Secret, once the cluster has filled it."""
        deadline = clock.monotonic() + TOKEN_SECRET_LIMIT
        while clock.monotonic() < deadline:
            read = ["get", "secret", secret, "-n", namespace, "-o", "json"]
            data = self._json(self._run(read, doing="read the token Secret")).get("data") or {}
            if data.get("token"):
                return _decoded(str(data["token"]))
            clock.sleep(0.5)
        raise CliError(
            f"The Secret {secret} in {namespace} holds no token after {TOKEN_SECRET_LIMIT:.0f} s.",
            hint="Does the cluster still fill token Secrets? Connect without --long-lived.",
            exit_code=ExitCode.TIMED_OUT,
        )

    def _run(self, arguments: list[str], *, doing: str, stdin: str = "") -> str:
        command = [self._program, "--context", self.context, "--request-timeout=30s", *arguments]
        said: list[str] = []
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            text=True,
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            listener = threading.Thread(target=_pass_on, args=(process.stderr, said), daemon=True)
            listener.start()
            _feed(process.stdin, stdin)
            output: str = process.stdout.read()
            process.wait()
            listener.join()
        if process.returncode:
            raise CliError(
                f"kubectl could not {doing} (context {self.context}): {said[-1] if said else 'it did not say why'}",
                hint=f"Try `kubectl --context {self.context} get namespaces`.",
            )
        return output

    def _json(self, text: str) -> dict[str, Any]:
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CliError(f"kubectl's answer for the context {self.context} is no JSON object.")
        return document


def _feed(stdin: IO[str], text: str) -> None:
    try:
        stdin.write(text)
        stdin.close()
    except BrokenPipeError:
        # it ended without reading; its exit code and message say why
        pass


def _pass_on(stream: IO[str], said: list[str]) -> None:
    for line in stream:
        if line.strip():
            said.append(line.strip())
            note(f"  kubectl: {line.rstrip()}")


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CliError("The token Secret does not hold a token.") from None
