"""What somebody asked of a move, as its operation keeps it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from accounts.errors import FieldError, InvalidInput
from clusters.choice_faults import choice_faults
from clusters.models import HostCluster
from clusters.move_choices import MOVE_CHOICES, MOVE_ORDERS
from clusters.moving import BACK, ORDERS, TO
from clusters.preflight import CHOICES

_WORKLOAD: Final = re.compile(r"[A-Z][A-Za-z]{0,62}(\.[a-z0-9.-]{1,253})? [a-z0-9-]{1,63}/[a-z0-9.-]{1,253}")
WORKLOAD_ACCEPTED: Final = "a workload as KIND.GROUP NAMESPACE/NAME, such as Deployment.apps shop/web"
ORDERS_MOST: Final = 500


@dataclass(frozen=True, kw_only=True)
class MoveWish:
    """Where it is to go: to the host named, back to where it came from, or, with neither, wherever it fits best."""

    to: HostCluster | None = None
    back: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)

    def as_params(self) -> dict[str, Any]:
        """For the operation's params."""
        return {
            TO: str(self.to.pk) if self.to else "",
            BACK: self.back,
            CHOICES: dict(self.choices),
            ORDERS: dict(self.orders),
        }

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """As `as_params` wrote it. HostCluster.DoesNotExist where its host was disconnected since."""
        key = params.get(TO)
        return cls(
            to=HostCluster.objects.get(pk=key) if key else None,
            back=bool(params.get(BACK)),
            choices=params.get(CHOICES) or {},
            orders=params.get(ORDERS) or {},
        )

    def check(self) -> None:
        """Raises InvalidInput that names each field in which something is asked for that does not exist."""
        faults = [*self._places(), *choice_faults(self.choices, MOVE_CHOICES), *self._orders()]
        if faults:
            raise InvalidInput.of(faults)

    def _places(self) -> list[FieldError]:
        if self.to is None or not self.back:
            return []
        accepted = "either `to` or `back`"
        return [FieldError(field=TO, message="It goes back to where it came from, or to a host.", accepted=accepted)]

    def _orders(self) -> list[FieldError]:
        if len(self.orders) > ORDERS_MOST:
            accepted = f"at most {ORDERS_MOST}"
            return [FieldError(field=ORDERS, message="These are too many workloads.", accepted=accepted)]
        named = {key: _WORKLOAD.fullmatch(key) is not None for key in self.orders}
        return [
            FieldError(
                field=f"{ORDERS}.{key}",
                message=f"{order} is no order." if named[key] else "This is no workload's name.",
                accepted=f"one of {', '.join(MOVE_ORDERS)}" if named[key] else WORKLOAD_ACCEPTED,
            )
            for key, order in self.orders.items()
            if not named[key] or order not in MOVE_ORDERS
        ]
