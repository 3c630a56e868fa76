"""What whoever upgrades virtual clusters has to choose where it applies, with what each choice means."""

from collections.abc import Mapping
from typing import Final

from accounts.errors import InvalidInput
from clusters.choice_faults import choice_faults

ACCEPT: Final = "accept"
REMOVED_APIS: Final = "removed-apis"
DIFFERENCES: Final = "differences"
"""In the params of an `upgrade`: what is no longer as it was, in sentences. And the choice to take it as it is."""

UPGRADE_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    REMOVED_APIS: {
        ACCEPT: "Upgrade all the same: what asks for these versions gets errors until it asks for newer ones.",
    },
}
"""By the name of the choice: its options, each with what it means."""

ROLLOUT_CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    **UPGRADE_CHOICES,
    DIFFERENCES: {ACCEPT: "A cluster that is not as before in all has not failed, and the rollout goes on."},
}
"""Those of a rollout of upgrades: it does not wait for somebody to look at each cluster."""


def upgrade_choices_check(chosen: Mapping[str, str], known: Mapping[str, Mapping[str, str]] = UPGRADE_CHOICES) -> None:
    """Raises InvalidInput that names each choice or option that there is not: chosen in vain, it would be silence."""
    if faults := choice_faults(chosen, known):
        raise InvalidInput.of(faults)
