"""Callers and targets that tests of the gateway's parts let in, and what they ask of a database that is not there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event
from uuid import UUID, uuid4

from django.db import OperationalError
from django.utils import timezone

from accounts.errors import MarinaError, NotAuthenticated
from clusters.services.gateway_access import Caller
from gateway.doorman import Questions
from gateway.targets import Target


def caller(**changes: object) -> Caller:
    """A developer of a cluster `acme/shop/web`."""
    made = Caller(
        user_id=uuid4(),
        handle="jane",
        name="Jane",
        service_account=False,
        team_ids=(),
        level="admin",
        token="mar_ab12cd34",
        token_prefix="ab12cd34",
        access_token_id=uuid4(),
        gateway_token_id=None,
        cluster_id=uuid4(),
        cluster_name="acme/shop/web",
        project_id=uuid4(),
        organization_id=uuid4(),
        broken_glass=False,
        until=None,
        token_until=timezone.now() + timedelta(hours=1),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def target(cluster_id: UUID, *, phase: str = "Ready", served: bool = True, sentence: str = "") -> Target:
    return Target(
        cluster_id=cluster_id,
        name="acme/shop/web",
        host_id=uuid4(),
        host_name="east",
        phase=phase,
        served=served,
        sentence=sentence,
        endpoint="",
        key=(uuid4(), 1),
    )


@dataclass
class Books:
    """What a database would say. `away`: it cannot be asked; `held`: its answers wait until it is set."""

    callers: dict[str, Caller] = field(default_factory=dict)
    error: MarinaError = field(default_factory=lambda: NotAuthenticated("The gateway does not know this token."))
    away: bool = False
    held: Event = field(default_factory=Event)
    asked: int = 0
    rechecked: int = 0

    def __post_init__(self) -> None:
        self.held.set()

    @property
    def questions(self) -> Questions:
        return Questions(self._caller_of, self._callers_still, self._targets_of)

    def _answer(self) -> None:
        self.held.wait(10)
        if self.away:
            raise OperationalError("the server closed the connection")

    def _caller_of(self, *, presented: str, cluster_id: UUID, now: datetime) -> Caller:
        self.asked += 1
        self._answer()
        found = self.callers.get(presented)
        if found is None or found.cluster_id != cluster_id:
            raise self.error
        return found

    def _callers_still(self, *, callers: list[Caller], now: datetime) -> set[Caller]:
        self.rechecked += 1
        self._answer()
        return {each for each in callers if each in self.callers.values()}

    def _targets_of(self, cluster_ids: Sequence[UUID]) -> dict[UUID, Target]:
        return {each: target(each) for each in cluster_ids}
