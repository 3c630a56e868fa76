"""`marina configure`."""

from __future__ import annotations

from dataclasses import dataclass

import click

from marina_cli.commands.dry_run import dry_run_check, dry_run_option, dry_run_tell
from marina_cli.commands.waiting import operation_await, wait_options, watch_command
from marina_cli.completing import complete_clusters, complete_exposures, complete_sizes
from marina_cli.durations import span
from marina_cli.given import labels_parse, values_read
from marina_cli.lookup import cluster_find
from marina_cli.output import note, output_option, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json, word
from marina_cli.text import labels as label_words


@click.command("configure")
@click.argument("name", shell_complete=complete_clusters)
@project_option
@click.option("--size", metavar="S", shell_complete=complete_sizes, help="Such as small; see `marina options`.")
@click.option(
    "--exposure", metavar="E", shell_complete=complete_exposures, help="How its API is published; see `marina options`."
)
@click.option(
    "--values",
    "values_file",
    metavar="FILE",
    help="Chart values as YAML, in place of all that were given before; - for standard input.",
)
@click.option("--label", "labels", metavar="K=V", multiple=True, help="A label to add or change; may be repeated.")
@click.option("--remove-label", "gone", metavar="K", multiple=True, help="A label to take away; may be repeated.")
@dry_run_option
@wait_options
@output_option
@pass_session
def configure(
    session: Session,
    name: str,
    project: str | None,
    size: str | None,
    exposure: str | None,
    values_file: str | None,
    labels: tuple[str, ...],
    gone: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    timeout: int,
    form: str,
) -> None:
    """Change the virtual cluster NAME, or bring it back to what is wanted.

    Without an option nothing that is wanted changes: whatever somebody paused, upgraded, changed or deleted on its
    host is put right. A change of values or size replaces the control plane; its API is away meanwhile. Labels alone
    are changed at once, and nothing on its host is.
    """
    dry_run_check(dry_run, wait)
    values = values_read(values_file) if values_file else None
    given = {"size": size, "exposure": exposure, "values": values}
    spec = {key: value for key, value in given.items() if value is not None}
    added = labels_parse(labels)
    item = cluster_find(session, name, project)
    path = f"/virtual-clusters/{item['id']}"
    started = session.clock.monotonic()
    answer = _asked(session, path, spec, _Labels(added, gone), dry_run)
    item = answer.get("virtual_cluster") or answer
    if dry_run:
        dry_run_tell(item, form, f"{name} would be configured.")
        return
    at_work = "virtual_cluster" in answer
    if wait and at_work:
        operation_await(session, answer, timeout)
        item = session.api.get(path)

    def people(item: Json) -> None:
        if not at_work:
            click.echo(f"{name} has the labels {label_words(item.get('labels'))}.")
        elif wait:
            took = span(session.clock.monotonic() - started)
            click.echo(f"{name} is {word(item.get('phase'))}, as it is wanted, after {took}.")
        else:
            click.echo(f"{name} is being configured.")
            note(f"Watch it with `{watch_command(answer)}`.")

    print_one(item, form, people)


@dataclass(frozen=True)
class _Labels:
    """What is to become of labels; the others stay."""

    added: dict[str, str]
    gone: tuple[str, ...]

    def of(self, item: Json) -> Json:
        kept = {key: value for key, value in (item.get("labels") or {}).items() if key not in self.gone}
        return {**kept, **self.added}


def _asked(session: Session, path: str, spec: Json, labels: _Labels, dry_run: bool) -> Json:
    """The API takes all labels at once: they are read first, and a change that somebody made meanwhile is not lost."""
    if labels.added or labels.gone:
        more = {"spec": spec} if spec else {}
        return session.api.edit(path, lambda item: {**more, "labels": labels.of(item)}, dry_run=dry_run)
    change = ("PATCH", path, {"spec": spec}) if spec else ("POST", f"{path}/configure", None)
    return session.api.start(*change, dry_run=dry_run)
