"""`marina options`, `marina completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from marina_cli.durations import span
from marina_cli.output import output_option, print_fields, print_one
from marina_cli.session import Session, pass_session
from marina_cli.text import Json, word

COMPLETE_VARIABLE = "_MARINA_COMPLETE"


@click.command("options")
@output_option
@pass_session
def options(session: Session, form: str) -> None:
    """Show what can be chosen: Kubernetes versions, sizes, exposures, expiry."""
    print_one(session.api.get("/options"), form, _show, name="default_kubernetes_version")


def _show(item: Json) -> None:
    default = item.get("default_kubernetes_version")
    versions = [f"{word(version)}{' (default)' if version == default else ''}" for version in _list(item, "versions")]
    click.echo("Options")
    print_fields(
        [
            ("Kubernetes", ", ".join(versions)),
            ("chart", word(item.get("chart_version"))),
            ("exposure", word(item.get("exposures"))),
            ("kubeconfig", _expiry(item.get("kubeconfig_expiry") or {})),
        ]
    )
    sizes = [size for size in item.get("sizes") or () if isinstance(size, dict)]
    if sizes:
        click.echo("Sizes")
        print_fields([(word(size.get("name")), word(size.get("description"))) for size in sizes])


def _list(item: Json, noun: str) -> list[str]:
    return [str(version) for version in item.get(f"kubernetes_{noun}") or ()]


def _expiry(expiry: Json) -> str:
    known = {key: span(float(value)) for key, value in expiry.items() if isinstance(value, int | float)}
    if not {"minimum", "default", "maximum"} <= known.keys():
        return ""
    return f"holds {known['default']} unless asked for {known['minimum']} to {known['maximum']}"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  source <(marina completion bash)
    zsh:   source <(marina completion zsh)
    fish:  marina completion fish | source
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "marina", COMPLETE_VARIABLE).source())
