"""What one run of the command works with: the chosen context, its API, the default project."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from marina_cli.client import Api
from marina_cli.clock import Clock
from marina_cli.config import Config, Context, config_load, config_path, context_choose
from marina_cli.errors import CliError, ExitCode, FieldError, UsageProblem
from marina_cli.text import Json, project_path


@dataclass
class Session:
    """Made once per run and handed to every command; reads files and the network only when asked."""

    clock: Clock = field(default_factory=Clock)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    context_name: str = ""
    ca_file: str = ""
    insecure_http: bool = False
    patience: float = 0
    """Seconds after which a request is given up without another try; 0 means the usual ones."""

    @property
    def config_path(self) -> Path:
        """Where the configuration lies."""
        return config_path(self.environment)

    @cached_property
    def config(self) -> Config:
        """The configuration as it was when first asked for."""
        return config_load(self.config_path)

    @cached_property
    def context(self) -> Context:
        """The context in use, after the environment and the options."""
        context = context_choose(self.config, self.environment, self.context_name)
        return replace(
            context,
            ca_file=self.ca_file or context.ca_file,
            insecure_http=self.insecure_http or context.insecure_http,
        )

    @cached_property
    def api(self) -> Api:
        """The API with the user's token; CliError (3) without one."""
        if not self.context.token:
            raise CliError(
                f"You are not logged in to {self.context.server}.",
                hint=f"Log in with `marina login {self.context.server}`.",
                exit_code=ExitCode.LOGIN,
            )
        return Api(self.context, clock=self.clock, patience=self.patience)

    @cached_property
    def me(self) -> Json:
        """Who the token belongs to, with organizations and projects."""
        return self.api.get("/me")

    def project(self, given: str | None) -> str:
        """`--project`, else the stored default, else the user's only project; UsageProblem where that is open."""
        if given or self.context.project:
            return given or self.context.project
        paths = [project_path(project) for project in self.me.get("projects", [])]
        if len(paths) == 1:
            return paths[0]
        raise UsageProblem(
            "Say in which project." if paths else "You are not in any project yet.",
            hint="Use --project, or set a default with `marina use-project ORGANIZATION/NAME`."
            if paths
            else "Ask for a role in one: `marina project list --joinable`, then `marina project join ORG/NAME`.",
            fields=[FieldError("--project", "It is not given.", ", ".join(paths))] if paths else [],
        )


pass_session = click.make_pass_decorator(Session)


def project_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option `--project`."""
    return click.option(
        "--project", "-p", metavar="ORG/NAME", help="The project; its default is set with `marina use-project`."
    )(function)
