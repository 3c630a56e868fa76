"""At which level somebody gets into a virtual cluster: by role, token and ceilings."""

from accounts.access import allowed, require
from accounts.errors import InvalidInput, NotFound
from accounts.models import User
from accounts.services.audit import Actor
from clusters.access import KUBECONFIG_LEVELS
from clusters.models import VirtualCluster
from clusters.services.ceilings import ceiling_check, within_ceiling


def holder_of(actor: Actor) -> User:
    """Who asks for a kubeconfig. Raises NotFound where nobody does."""
    if actor.user is None:
        raise NotFound("A kubeconfig is given to a person.")
    return actor.user


def level_chosen(user: User, cluster: VirtualCluster, level: str) -> str:
    """The level that was asked for, or (empty) the highest there is for them.

    Raises InvalidInput for what is no level, NotAllowed or NotFound as `require` does, and NotAllowed where a ceiling
    stands against it.
    """
    if level and level not in KUBECONFIG_LEVELS:
        accepted = f"one of {', '.join(KUBECONFIG_LEVELS)}"
        raise InvalidInput(f"There is no level {level[:20]}.", field="level", accepted=accepted)
    if not level:
        for highest_first in KUBECONFIG_LEVELS:
            if within_ceiling(highest_first, cluster) and allowed(user, action_of(highest_first), cluster):
                return highest_first
    wanted = level or KUBECONFIG_LEVELS[-1]
    require(user, action_of(wanted), cluster)
    ceiling_check(wanted, cluster)
    return wanted


def action_of(level: str) -> str:
    """The action of the role table that stands before a level."""
    return f"virtualcluster.kubeconfig.{level}"
