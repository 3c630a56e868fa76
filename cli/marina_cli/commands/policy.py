"""`marina policy`: when unused virtual clusters sleep and are deleted."""

from __future__ import annotations

import click

from marina_cli.commands.policy_views import COLUMNS, policy_counts, policy_show
from marina_cli.commands.scopes import of_scope, scope_given, scope_put
from marina_cli.completing import complete_clusters
from marina_cli.durations import DURATION, duration_parse
from marina_cli.errors import CliError, ExitCode, UsageProblem
from marina_cli.lookup import organization_find
from marina_cli.output import output_option, print_fields, print_list, print_one
from marina_cli.session import Session, pass_session, project_option
from marina_cli.text import Json

PATH = "/lifecycle-policies"
FIELDS = {
    "sleep-after": "sleep_after",
    "delete-after": "delete_after",
    "warn-before": "warn_before",
    "never-sleep": "never_sleep",
    "never-delete": "never_delete",
    "extension-maximum": "extension_maximum",
}
OPPOSITES = (("sleep_after", "never_sleep"), ("delete_after", "never_delete"))


@click.group("policy")
def policy() -> None:
    """When unused clusters sleep and are deleted: of an organization, of a project, or of one cluster.

    What a cluster says counts before what its project says, and that before its organization and the platform.
    """


def _scope(session: Session, name: str | None, project: str | None, organization: str | None) -> tuple[Json, str]:
    if organization and name:
        raise UsageProblem("A cluster's policy takes no --organization.")
    if organization:
        return {"organization": organization_find(session, organization)}, organization
    return scope_given(session, name, project)


organization_option = click.option("--organization", metavar="NAME", help="Of this organization.")


@policy.command("set")
@click.argument("name", required=False, shell_complete=complete_clusters)
@click.option("--sleep-after", type=DURATION, help="Sleep after so long without use, such as 3d.")
@click.option("--delete-after", type=DURATION, help="Delete after so long without use, such as 60d; asleep is unused.")
@click.option(
    "--warn-before", metavar="SPANS", help="When the owner is warned before a deletion: two or more, as 7d,1d."
)
@click.option("--never-sleep/--may-sleep", default=None, help="Whether lack of use ever puts it to sleep.")
@click.option("--never-delete/--may-delete", default=None, help="Whether lack of use ever deletes it.")
@click.option("--extension-maximum", type=DURATION, help="How far an extension reaches; of organizations and projects.")
@click.option("--clear", multiple=True, type=click.Choice(list(FIELDS)), help="Say nothing of this any more.")
@organization_option
@project_option
@output_option
@pass_session
def policy_set(
    session: Session,
    name: str | None,
    organization: str | None,
    project: str | None,
    clear: tuple[str, ...],
    warn_before: str | None,
    form: str,
    sleep_after: int | None,
    delete_after: int | None,
    never_sleep: bool | None,
    never_delete: bool | None,
    extension_maximum: int | None,
) -> None:
    """Set the policy of the virtual cluster NAME, without NAME of the project; what is not given stays."""
    given: Json = {
        "sleep_after": sleep_after,
        "delete_after": delete_after,
        "never_sleep": never_sleep,
        "never_delete": never_delete,
        "extension_maximum": extension_maximum,
    }
    body = {key: value for key, value in given.items() if value is not None}
    if warn_before:
        body["warn_before"] = _spans_parse(warn_before)
    body |= {FIELDS[each]: None for each in clear}
    # who says never takes back the span that was said before, as who says a span ends a never
    body |= {span: None for span, never in OPPOSITES if body.get(never) and span not in body}
    body |= {never: None for span, never in OPPOSITES if body.get(span) is not None and never not in body}
    if not body:
        raise UsageProblem("Nothing is to be set.", hint="Say something with --sleep-after, --never-delete and so on.")
    scope, called = _scope(session, name, project, organization)
    item = scope_put(session, PATH, scope, body)
    print_one(item, form, lambda item: policy_show(item, called), name="id")


def _spans_parse(text: str) -> list[int]:
    try:
        return [duration_parse(each.strip().lower()) for each in text.split(",")]
    except ValueError:
        raise UsageProblem(f"{text!r} cannot be read.", hint="Accepted: spans with commas, such as 7d,1d.") from None


@policy.command("get")
@click.argument("name", required=False, shell_complete=complete_clusters)
@organization_option
@project_option
@output_option
@pass_session
def policy_get(session: Session, name: str | None, organization: str | None, project: str | None, form: str) -> None:
    """Show the policy of the virtual cluster NAME, or of the project; of a cluster also what counts for it, and why."""
    scope, called = _scope(session, name, project, organization)
    item = of_scope(session, PATH, scope)
    if name and form == "table":
        if item is not None:
            policy_show(item, called)
        click.echo(f"What counts for {called}")
        told = session.api.get(f"/virtual-clusters/{scope['virtual_cluster']}/cleanup")
        print_fields(policy_counts(told.get("policy") or {}))
        return
    if item is None:
        raise _none(called)
    print_one(item, form, lambda item: policy_show(item, called), name="id")


def _none(called: str) -> CliError:
    return CliError(
        f"{called} has no policy of its own.",
        hint="What counts for a cluster, and by whom: `marina policy get NAME`. Give it one with `marina policy set`.",
        exit_code=ExitCode.NOT_FOUND,
    )


@policy.command("list")
@output_option
@pass_session
def policy_list(session: Session, form: str) -> None:
    """List the policies that you see."""
    print_list(list(session.api.pages(PATH)), form, COLUMNS, empty="There is no policy.", name="id")


@policy.command("delete")
@click.argument("name", required=False, shell_complete=complete_clusters)
@organization_option
@project_option
@pass_session
def policy_delete(session: Session, name: str | None, organization: str | None, project: str | None) -> None:
    """Delete the policy of the virtual cluster NAME, or of the project; the wider scope counts from then on."""
    scope, called = _scope(session, name, project, organization)
    item = of_scope(session, PATH, scope)
    if item is None:
        raise _none(called)
    session.api.change("DELETE", f"{PATH}/{item['id']}")
    click.echo(f"The policy of {called} is deleted.")
