"""What the first operation after an adoption will change of the release, before it does."""

from typing import Any

from clusters.adoption import Adoption, backing_store_of, image_edition
from clusters.chart_values import values_merge
from clusters.models import OperationEvent
from provisioning.charts import chart_fetch
from provisioning.drivers.charts import ChartInfo
from provisioning.drivers.kinds import Json
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import Skip, StepResult, step
from provisioning.manifests import manifests_differ, manifests_parse
from provisioning.steps.guardrails import guardrail_manifests
from provisioning.steps.release import release_values

NAMED_MOST = 5


@step("Compare with what was adopted")
def compare_adopted(context: StepContext) -> StepResult:
    """Renders what is wanted and writes each difference to what helm made. Nothing is changed yet.

    Refuses what would lose the cluster's state or make another product of it.
    """
    adoption = Adoption.of_json(context.placement.adopted)
    if adoption is None:
        return Skip("Marina made it itself.")
    if not adoption.complete:
        raise PermanentError(
            "Its adoption did not succeed, so Marina changes nothing of it.",
            code="not-adopted",
            hint="Retry the adopt operation, or delete the cluster here: its release stays as it is.",
        )
    if adoption.taken_over:
        return Skip("It was brought to what is wanted before.")
    chart = chart_fetch(context.virtual_cluster.chart_version)
    values = release_values(context)
    found, wanted = _found(context), _rendered(context, chart, values)
    _refuse_other_store(context, chart, values)
    _refuse_other_edition(found, wanted, context.placement.release)
    _told(context, [*_of_marina(context), *manifests_differ(found, wanted)])
    return None


def _found(context: StepContext) -> list[Json]:
    """What the newest revision made; somebody may have upgraded it since it was adopted."""
    placement, helm = context.placement, context.helm()
    newest = helm.status(placement.release, placement.namespace)
    if newest is None:
        return []
    return manifests_parse(helm.manifest(placement.release, placement.namespace, revision=newest.revision))


def _rendered(context: StepContext, chart: ChartInfo, values: dict[str, Any]) -> list[Json]:
    placement = context.placement
    text = context.helm().render(
        placement.release,
        chart.path,
        placement.namespace,
        values,
        kubernetes_version=placement.host.kubernetes_version or "1.30.0",
    )
    return manifests_parse(text)


def _of_marina(context: StepContext) -> list[dict[str, Any]]:
    """Its guardrails, which come with the first operation."""
    manifests = guardrail_manifests(context.placement, context.virtual_cluster)
    titles = [f"{each['kind']} {each['metadata']['name']}" for each in manifests]
    return [{"object": title, "path": "", "before": None, "after": "made"} for title in titles]


def _refuse_other_store(context: StepContext, chart: ChartInfo, values: dict[str, Any]) -> None:
    had, gets = context.virtual_cluster.backing_store, backing_store_of(values_merge(chart.default_values, values))
    if had != gets:
        raise PermanentError(
            f"It keeps its state in its {had}, and with the values that are wanted it would use its {gets}: "
            "an empty one.",
            code="backing-store",
            hint="Take controlPlane.backingStore back to what it was (spec.values, or the host's values); then retry.",
        )


def _refuse_other_edition(found: list[Json], wanted: list[Json], release: str) -> None:
    had, gets = (_image(manifests, release) for manifests in (found, wanted))
    if had and gets and image_edition(had) != image_edition(gets):
        raise PermanentError(
            f"Its control plane runs {image_edition(had)}, and would become {image_edition(gets)}.",
            code="image-edition",
            hint="Take controlPlane.statefulSet.image.repository back to what it was; then retry.",
        )


def _image(manifests: list[Json], release: str) -> str:
    """Of the container `syncer`, which is in every edition; else of the first."""
    for each in manifests:
        if each["kind"] in ("StatefulSet", "Deployment") and each["metadata"]["name"] == release:
            containers = each["spec"]["template"]["spec"]["containers"]
            named = [container for container in containers if container.get("name") == "syncer"] or containers
            return str(named[0].get("image", ""))
    return ""


def _told(context: StepContext, difference: list[dict[str, Any]]) -> None:
    """Written once: what a second look after a crash finds is the same."""
    objects = list(dict.fromkeys(entry["object"] for entry in difference))
    named = ", ".join(objects[:NAMED_MOST]) + (" and more" if len(objects) > NAMED_MOST else "")
    text = f"What is wanted differs from what was adopted in {len(difference)} places: {named}."
    with context.fenced() as row:
        if row.difference != difference:
            type(row).objects.filter(pk=row.pk).update(difference=difference)
            OperationEvent.objects.create(operation=row, time=context.now, step="compare-adopted", text=text)
    context.operation.difference = difference
