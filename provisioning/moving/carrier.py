"""How a cluster's state comes to where it goes: what a move needs of it, whoever does it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from provisioning.drivers.kube import KubeClient
from provisioning.engine.context import StepContext
from provisioning.engine.flow import StepResult
from provisioning.moving.carrying import Carried
from provisioning.moving.changes import Changes
from provisioning.moving.comparing import Compared
from provisioning.moving.service_addresses import ServicesWay


class Carrier(Protocol):
    """The flow `migrate` talks to it alone; tests/provisioning/moving/test_carrier.py holds each to what is said here.

    At the target all that would run, call or start others is held (`provisioning/moving/holding.py`) from the first
    moment on. Whatever is done twice, or again after a crash at any line, ends in the same place.
    """

    def seed_foundations(self, context: StepContext) -> StepResult:
        """Brings what others lean on to the target, whose API answers. The source works meanwhile.

        Like a step's: may wait, and is called again until it does not. PermanentError where there is nothing to seed
        from.
        """

    def seed_objects(self, context: StepContext) -> StepResult:
        """Brings all others. As `seed_foundations`, after it."""

    def seeded_up_to(self, context: StepContext) -> Mapping[str, int]:
        """The source's resourceVersion by kind of which the seed has all. A kind that is missing was not seeded."""

    def changes(
        self,
        source: KubeClient,
        target: KubeClient,
        revisions: Mapping[str, int],
        *,
        before_page: Callable[[], None],
        counts: Mapping[str, int] | None = None,
    ) -> Changes:
        """What `carry` has to do, changing nothing: all that the source wrote after `revisions`, and what is gone.

        Its own `revisions` are where the next call begins, once all was carried. With its `counts` the names at the
        target are looked through only where they do not explain how many there are.
        """

    def carry(self, target: KubeClient, changes: Changes, *, mark: str, services: ServicesWay) -> Carried:
        """Makes, changes and deletes at the target, in the name of the operation's `mark`; Services as was chosen."""

    def ended_remove(self, target: KubeClient, changes: Changes) -> None:
        """Of these changes only those that keep a Job that ended at the source from being run once more."""

    def compare(
        self,
        source: KubeClient,
        target: KubeClient,
        revisions: Mapping[str, int],
        *,
        before_page: Callable[[], None],
        services: ServicesWay,
    ) -> Compared:
        """Each object that the source did not write after `revisions`, by digest, less what holding changes."""
