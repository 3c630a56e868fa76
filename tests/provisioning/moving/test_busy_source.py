"""Moves of a cluster to which somebody writes without a pause, and of one whose versions are far ahead."""

from threading import Event
from typing import Any

from provisioning.drivers.kinds import CONFIG_MAP
from provisioning.engine.context import StepContext
from provisioning.flows.migrate import MIGRATE
from provisioning.steps.moving import FEW
from tests.e2e.moving_here import with_step
from tests.provisioning.moving.conftest import Wanderer
from tests.provisioning.moving.test_carrying import put

NAMES = [f"busy-{number:02}" for number in range(FEW + 10)]


def test_rounds_end_where_each_finds_as_much_as_the_one_before(wanderer: Wanderer) -> None:
    """The rest is copied while it is frozen: one round more finds as much again."""
    copies: list[int] = []
    pausing: list[bool] = []

    def begins(context: StepContext) -> None:
        wanderer.copy_of(context).before.append(copied)
        write(0)

    def copied(request: Any) -> None:
        """Of each round's first write at the target. Somebody writes once more to all of them."""
        if f"/{NAMES[0]}" in request.path and request.method == "PATCH":
            copies.append(len(copies) + 1)
            if not pausing:
                write(copies[-1])

    with wanderer.inside() as kube:
        for name in NAMES:
            put(kube, CONFIG_MAP, name)

        def write(number: int) -> None:
            for name in NAMES:
                kube.patch_merge(CONFIG_MAP, name, "shop", {"data": {"n": str(number)}})

        flow = with_step(MIGRATE, "copy-objects", "begins", begins)
        operation = wanderer.move(flow=with_step(flow, "copy-changes", "pauses", lambda _: pausing.append(True)))
    assert operation.state == "Succeeded", operation.message
    assert copies == [1, 2, 3]  # two rounds, of which the second found no less, and one while it was frozen
    with wanderer.inside() as kube:
        assert {(kube.get(CONFIG_MAP, name, "shop") or {})["data"]["n"] for name in NAMES} == {"2"}


def test_versions_are_brought_past_the_old_ones_only_where_that_takes_seconds(
    wanderer: Wanderer, settings: Any
) -> None:
    settings.MOVE_REVISIONS_AHEAD = 500

    def slowly(request: Any) -> None:
        if "/marina-move-" in request.path:
            Event().wait(0.1)

    def far_away(context: StepContext) -> None:
        wanderer.copy_of(context).before.append(slowly)

    operation = wanderer.move(flow=with_step(MIGRATE, "compare-copy", "far-away", far_away))
    assert operation.state == "Succeeded", operation.message
    (raised,) = (each for each in operation.steps if each["key"] == "raise-revisions")
    assert "begin anew" in raised["note"]
