"""A cluster's state carried as objects, through the APIs of source and target: the first copy from an export."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from clusters.models import Export
from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.engine.flow import StepResult
from provisioning.exports.opening import export_read
from provisioning.exports.restoring import RestorePlan
from provisioning.moving.carrying import Carried, CopyMaker, changes_carry, ended_remove, moving_plan, moving_way
from provisioning.moving.changes import Changes, carried_kinds, changes_since
from provisioning.moving.comparing import Compared, differing
from provisioning.moving.service_addresses import ServicesWay, services_way
from provisioning.steps.restoring import MakerOf, mark_of, objects_made, objects_tried_again


class ByObjects:
    """A `Carrier`. It seeds from the export that the operation made before, and goes on where a worker ended."""

    def seed_foundations(self, context: StepContext) -> StepResult:
        """Definitions of kinds, namespaces, classes and rights."""
        plan = _plan(context)
        return objects_made(context.on_target(), plan, plan.leaned_on, _maker(context, plan))

    def seed_objects(self, context: StepContext) -> StepResult:
        """All others, webhooks last; then once more what was refused for now."""
        plan = _plan(context)
        make, target = _maker(context, plan), context.on_target()
        return objects_made(target, plan, len(plan.wanted), make) or objects_tried_again(target, plan, make)

    def seeded_up_to(self, context: StepContext) -> Mapping[str, int]:
        """What the export says."""
        return export_read(_export(context).pk, _revisions_of)

    def changes(
        self,
        source: KubeClient,
        target: KubeClient,
        revisions: Mapping[str, int],
        *,
        before_page: Callable[[], None],
        counts: Mapping[str, int] | None = None,
    ) -> Changes:
        """By resourceVersion, and by names that only one side has."""
        return changes_since(source, target, revisions, before_page=before_page, counts=counts)

    def carry(self, target: KubeClient, changes: Changes, *, mark: str, services: ServicesWay) -> Carried:
        """One by one, in the order in which they lean on each other."""
        return changes_carry(target, changes, mark=mark, services=services)

    def ended_remove(self, target: KubeClient, changes: Changes) -> None:
        """What such a Job owns stays."""
        ended_remove(target, changes)

    def compare(
        self,
        source: KubeClient,
        target: KubeClient,
        revisions: Mapping[str, int],
        *,
        before_page: Callable[[], None],
        services: ServicesWay,
    ) -> Compared:
        """Reads all of both sides."""
        return differing(source, target, revisions, before_page=before_page, services=services)


def _plan(context: StepContext) -> RestorePlan:
    with context.virtual() as source:
        served = {kind.api_version for kind in carried_kinds(source)}
    plan_of = partial(moving_plan, served=served.__contains__, services=services_way(context.params))
    return export_read(_export(context).pk, lambda reader: plan_of(reader.objects()))


def _maker(context: StepContext, plan: RestorePlan) -> MakerOf:
    return partial(CopyMaker, plan=plan, way=moving_way(mark_of(context)))


def _export(context: StepContext) -> Export:
    made = Export.objects.filter(operation=context.operation).first()
    if made is None:
        raise PermanentError("Its API never answered, so there is nothing to move: make it anew.", code="no-export")
    return made


def _revisions_of(reader: Any) -> Mapping[str, int]:
    for _ in reader.objects():
        pass
    revisions: dict[str, int] = reader.manifest["revisions"]
    return revisions
