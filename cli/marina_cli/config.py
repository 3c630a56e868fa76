"""Which server, with which token: `~/.config/marina/config.yaml` and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.private_file import private_file_write
from marina_cli.server_address import server_address


@dataclass(frozen=True)
class Context:
    """One server as one user: what `marina login` stored under a name."""

    name: str
    server: str
    token: str = field(default="", repr=False)
    token_id: str = ""
    handle: str = ""
    project: str = ""
    ca_file: str = ""
    insecure_http: bool = False


@dataclass(frozen=True)
class Config:
    """The whole file: every context and which of them is the current one."""

    current: str = ""
    contexts: tuple[Context, ...] = ()

    def context(self, name: str) -> Context | None:
        """The context of this name, or None."""
        return next((context for context in self.contexts if context.name == name), None)

    def with_context(self, context: Context) -> Config:
        """The same with `context` put in the place of its namesake and made the current one."""
        others = tuple(other for other in self.contexts if other.name != context.name)
        return Config(current=context.name, contexts=(*others, context))


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration lies: below XDG_CONFIG_HOME, which is `~/.config` unless set."""
    base = environment.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base else Path.home() / ".config") / "marina" / "config.yaml"


def config_load(path: Path) -> Config:
    """Read the file; an absent one is an empty configuration."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        contexts = tuple(_context_read(name, data) for name, data in (document.get("contexts") or {}).items())
        return Config(current=str(document.get("current-context") or ""), contexts=contexts)
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UsageProblem(
            f"{path} cannot be read as Marina's configuration ({type(error).__name__}).",
            hint="Correct or remove it, then log in again with `marina login SERVER`.",
        ) from None


def config_save(path: Path, config: Config) -> None:
    """Write the file, readable by its owner only."""
    contexts = {context.name: _context_write(context) for context in config.contexts}
    document = {"current-context": config.current, "contexts": contexts}
    private_file_write(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _context_read(name: Any, data: Mapping[str, Any]) -> Context:
    text = {key: str(data.get(key.replace("_", "-")) or "") for key in ("token", "token_id", "handle", "project")}
    return Context(
        name=str(name),
        server=str(data["server"]),
        ca_file=str(data.get("ca-file") or ""),
        insecure_http=data.get("insecure-http") is True,
        **text,
    )


def _context_write(context: Context) -> dict[str, Any]:
    data = {key.replace("_", "-"): value for key, value in vars(context).items() if key != "name"}
    return {key: value for key, value in data.items() if value}


def context_choose(config: Config, environment: Mapping[str, str], name: str) -> Context:
    """The context a command works with: `--context` or the current one, then the environment over it.

    A stored token, its CA file and its default project only ever go with the server they were stored for:
    MARINA_SERVER naming another server takes the context of that server, or needs MARINA_TOKEN.
    """
    chosen = _named(config, name) if name else config.context(config.current)
    server = environment.get("MARINA_SERVER", "").strip()
    # http is judged where the address is used; here it is only compared
    server = server and server_address(server, insecure_http=True)
    if server and (chosen is None or chosen.server != server):
        chosen = next((other for other in config.contexts if other.server == server), Context("", server))
    if chosen is None:
        raise CliError("You are not logged in.", hint="Log in with `marina login SERVER`.", exit_code=ExitCode.LOGIN)
    token = environment.get("MARINA_TOKEN", "").strip()
    if token:
        chosen = replace(chosen, token=token, token_id="")
    return replace(chosen, project=environment.get("MARINA_PROJECT", "").strip() or chosen.project)


def _named(config: Config, name: str) -> Context:
    context = config.context(name)
    if context is None:
        known = ", ".join(other.name for other in config.contexts) or "none"
        raise UsageProblem(
            f"There is no context {name!r}. Known contexts: {known}.",
            hint=f"Make it with `marina login SERVER --context {name}`.",
        )
    return context
