"""What a move left: where its last steps look for it, and what comes of it where somebody gave it up meanwhile."""

import pytest

from clusters.models import Placement, PlacementRole
from clusters.moving import LEFT
from provisioning.engine.context import StepContext
from provisioning.engine.errors import PermanentError
from provisioning.flows.migrate import MIGRATE
from provisioning.steps.moving_after import left
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.conftest import Wanderer


def test_what_it_left_is_found_where_it_was(wanderer: Wanderer) -> None:
    seen: list[tuple[str, str, str]] = []

    def looks(context: StepContext) -> None:
        found = left(context).placement
        seen.append((str(found.pk), found.role, found.host.name))

    was = wanderer.shop.placement
    operation = wanderer.move(flow=with_step(MIGRATE, "switch-placement", "looks", looks))
    assert operation.state == "Succeeded", operation.message
    assert seen == [(str(was.pk), "retained", was.host.name)]


def test_what_it_left_and_somebody_gave_up_is_not_touched_any_more_and_it_ends_well(wanderer: Wanderer) -> None:
    refused: list[str] = []

    def gives_up(context: StepContext) -> None:
        Placement.objects.filter(pk=context.params[LEFT]).update(role=PlacementRole.LEAVING)
        with pytest.raises(PermanentError) as error:
            left(context)
        refused.append(error.value.code)

    operation = wanderer.move(flow=with_step(MIGRATE, "switch-placement", "gives-up", gives_up))
    assert operation.state == "Succeeded", operation.message
    assert refused == ["not-retained"]
    told = " ".join(step.get("note", "") for step in operation.steps)
    assert "so they cannot be made again: What it left is being removed." in told
    assert "It could not be put to sleep" in told
