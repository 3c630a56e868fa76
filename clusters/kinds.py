"""What happens when an operation is asked for while another one of the same object is at work: one table.

docs/operation-kinds.md is made from it. `tests/clusters/test_kinds.py` walks it; a pair that is missing here is a
defect, not a default.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from clusters.models import OperationKind as Kind

GENERATION: Final = "generation"
"""In an operation's params: the generation of its cluster that it sees through. Its worker writes it as it begins."""


class Meeting(StrEnum):
    """What the new operation does when it meets the last of those ahead of it."""

    QUEUE = "queue"
    """It waits for its turn."""
    QUEUE_ONCE = "queue-once"
    """It waits for its turn, unless one of its kind waits already: that one will read what is wanted by then."""
    SUPERSEDE = "supersede"
    """The active one is aborted between two steps, a queued one at once, then the new one runs."""
    NO_OP = "no-op"
    """The active one already does what is asked: it is answered instead (200)."""
    REFUSE = "refuse"
    """409, naming the active one."""


HOST_KINDS: Final = (Kind.CONNECT, Kind.RENEW_CREDENTIAL)
VIRTUAL_CLUSTER_KINDS: Final = (
    Kind.PROVISION,
    Kind.ADOPT,
    Kind.CONFIGURE,
    Kind.SLEEP,
    Kind.WAKE,
    Kind.EXPORT,
    Kind.RESTORE,
    Kind.UPGRADE,
    Kind.MIGRATE,
    Kind.RECOVER,
    Kind.DELETE,
)
# These change nothing that another operation of their object leans on, so they take no lock.
UNLOCKED_KINDS: Final = (
    Kind.ISSUE_KUBECONFIG,
    Kind.REVOKE_ACCESS,
    Kind.PREFLIGHT,
    Kind.REMOVE_PLACEMENT,
    Kind.QUARANTINE,
)

MEETINGS: Final[Mapping[tuple[Kind, Kind], Meeting]] = {
    # (new, ahead of it)
    (Kind.CONNECT, Kind.CONNECT): Meeting.SUPERSEDE,  # the newer credential counts
    (Kind.CONNECT, Kind.RENEW_CREDENTIAL): Meeting.QUEUE,
    (Kind.RENEW_CREDENTIAL, Kind.CONNECT): Meeting.NO_OP,  # it brings a credential of its own
    (Kind.RENEW_CREDENTIAL, Kind.RENEW_CREDENTIAL): Meeting.NO_OP,
    (Kind.PROVISION, Kind.PROVISION): Meeting.NO_OP,
    (Kind.PROVISION, Kind.ADOPT): Meeting.REFUSE,
    (Kind.PROVISION, Kind.CONFIGURE): Meeting.NO_OP,  # it goes through the same steps
    (Kind.PROVISION, Kind.SLEEP): Meeting.REFUSE,
    (Kind.PROVISION, Kind.WAKE): Meeting.REFUSE,
    (Kind.PROVISION, Kind.EXPORT): Meeting.REFUSE,
    (Kind.PROVISION, Kind.RESTORE): Meeting.REFUSE,
    (Kind.PROVISION, Kind.UPGRADE): Meeting.REFUSE,
    (Kind.PROVISION, Kind.MIGRATE): Meeting.REFUSE,
    (Kind.PROVISION, Kind.RECOVER): Meeting.REFUSE,
    (Kind.PROVISION, Kind.DELETE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.PROVISION): Meeting.REFUSE,
    (Kind.ADOPT, Kind.ADOPT): Meeting.NO_OP,
    (Kind.ADOPT, Kind.CONFIGURE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.SLEEP): Meeting.REFUSE,
    (Kind.ADOPT, Kind.WAKE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.EXPORT): Meeting.REFUSE,
    (Kind.ADOPT, Kind.RESTORE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.UPGRADE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.MIGRATE): Meeting.REFUSE,
    (Kind.ADOPT, Kind.RECOVER): Meeting.REFUSE,
    (Kind.ADOPT, Kind.DELETE): Meeting.REFUSE,
    (Kind.CONFIGURE, Kind.PROVISION): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.ADOPT): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.CONFIGURE): Meeting.QUEUE_ONCE,  # the active one may have read what was wanted before
    (Kind.CONFIGURE, Kind.SLEEP): Meeting.QUEUE_ONCE,  # what is asleep stays asleep through it
    (Kind.CONFIGURE, Kind.WAKE): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.EXPORT): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.RESTORE): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.UPGRADE): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.MIGRATE): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.RECOVER): Meeting.QUEUE_ONCE,
    (Kind.CONFIGURE, Kind.DELETE): Meeting.REFUSE,
    (Kind.SLEEP, Kind.PROVISION): Meeting.QUEUE,
    (Kind.SLEEP, Kind.ADOPT): Meeting.QUEUE,
    (Kind.SLEEP, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.SLEEP, Kind.SLEEP): Meeting.NO_OP,
    (Kind.SLEEP, Kind.WAKE): Meeting.QUEUE,
    (Kind.SLEEP, Kind.EXPORT): Meeting.QUEUE,
    (Kind.SLEEP, Kind.RESTORE): Meeting.QUEUE,
    (Kind.SLEEP, Kind.UPGRADE): Meeting.QUEUE,
    (Kind.SLEEP, Kind.MIGRATE): Meeting.QUEUE,
    (Kind.SLEEP, Kind.RECOVER): Meeting.QUEUE,
    (Kind.SLEEP, Kind.DELETE): Meeting.REFUSE,
    (Kind.WAKE, Kind.PROVISION): Meeting.QUEUE,
    (Kind.WAKE, Kind.ADOPT): Meeting.QUEUE,
    (Kind.WAKE, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.WAKE, Kind.SLEEP): Meeting.SUPERSEDE,  # somebody wants to use it: nobody waits for it to fall asleep first
    (Kind.WAKE, Kind.WAKE): Meeting.NO_OP,
    (Kind.WAKE, Kind.EXPORT): Meeting.QUEUE,
    (Kind.WAKE, Kind.RESTORE): Meeting.QUEUE,
    (Kind.WAKE, Kind.UPGRADE): Meeting.QUEUE,
    (Kind.WAKE, Kind.MIGRATE): Meeting.QUEUE,
    (Kind.WAKE, Kind.RECOVER): Meeting.QUEUE,
    (Kind.WAKE, Kind.DELETE): Meeting.REFUSE,
    (Kind.EXPORT, Kind.PROVISION): Meeting.QUEUE,
    (Kind.EXPORT, Kind.ADOPT): Meeting.QUEUE,
    (Kind.EXPORT, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.EXPORT, Kind.SLEEP): Meeting.REFUSE,  # which makes one itself, and then nothing can be read any more
    (Kind.EXPORT, Kind.WAKE): Meeting.QUEUE,
    (Kind.EXPORT, Kind.EXPORT): Meeting.QUEUE_ONCE,  # the active one may have read what was changed since
    (Kind.EXPORT, Kind.RESTORE): Meeting.QUEUE,
    (Kind.EXPORT, Kind.UPGRADE): Meeting.QUEUE,
    (Kind.EXPORT, Kind.MIGRATE): Meeting.QUEUE,
    (Kind.EXPORT, Kind.RECOVER): Meeting.QUEUE,
    (Kind.EXPORT, Kind.DELETE): Meeting.REFUSE,
    (Kind.RESTORE, Kind.PROVISION): Meeting.QUEUE,
    (Kind.RESTORE, Kind.ADOPT): Meeting.QUEUE,
    (Kind.RESTORE, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.RESTORE, Kind.SLEEP): Meeting.REFUSE,
    (Kind.RESTORE, Kind.WAKE): Meeting.QUEUE,
    (Kind.RESTORE, Kind.EXPORT): Meeting.QUEUE,
    (Kind.RESTORE, Kind.RESTORE): Meeting.QUEUE,
    (Kind.RESTORE, Kind.UPGRADE): Meeting.REFUSE,
    (Kind.RESTORE, Kind.MIGRATE): Meeting.REFUSE,
    (Kind.RESTORE, Kind.RECOVER): Meeting.REFUSE,
    (Kind.RESTORE, Kind.DELETE): Meeting.REFUSE,
    (Kind.UPGRADE, Kind.PROVISION): Meeting.QUEUE,
    (Kind.UPGRADE, Kind.ADOPT): Meeting.REFUSE,
    (Kind.UPGRADE, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.UPGRADE, Kind.SLEEP): Meeting.QUEUE,
    (Kind.UPGRADE, Kind.WAKE): Meeting.QUEUE,
    (Kind.UPGRADE, Kind.EXPORT): Meeting.QUEUE,
    (Kind.UPGRADE, Kind.RESTORE): Meeting.REFUSE,
    (Kind.UPGRADE, Kind.UPGRADE): Meeting.REFUSE,
    (Kind.UPGRADE, Kind.MIGRATE): Meeting.REFUSE,  # which carries the version that it had when it began
    (Kind.UPGRADE, Kind.RECOVER): Meeting.REFUSE,
    (Kind.UPGRADE, Kind.DELETE): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.PROVISION): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.ADOPT): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.CONFIGURE): Meeting.QUEUE,
    (Kind.MIGRATE, Kind.SLEEP): Meeting.QUEUE,
    (Kind.MIGRATE, Kind.WAKE): Meeting.QUEUE,
    (Kind.MIGRATE, Kind.EXPORT): Meeting.QUEUE,
    (Kind.MIGRATE, Kind.RESTORE): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.UPGRADE): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.MIGRATE): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.RECOVER): Meeting.REFUSE,
    (Kind.MIGRATE, Kind.DELETE): Meeting.REFUSE,
    (Kind.RECOVER, Kind.PROVISION): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.ADOPT): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.CONFIGURE): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.SLEEP): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.WAKE): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.EXPORT): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.RESTORE): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.UPGRADE): Meeting.SUPERSEDE,
    (Kind.RECOVER, Kind.MIGRATE): Meeting.SUPERSEDE,  # its host is lost: nothing that leans on it can end well
    (Kind.RECOVER, Kind.RECOVER): Meeting.SUPERSEDE,  # where it was to go is lost too, or it may come back empty now
    (Kind.RECOVER, Kind.DELETE): Meeting.REFUSE,
    (Kind.DELETE, Kind.PROVISION): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.ADOPT): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.CONFIGURE): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.SLEEP): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.WAKE): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.EXPORT): Meeting.SUPERSEDE,  # it makes one itself
    (Kind.DELETE, Kind.RESTORE): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.UPGRADE): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.MIGRATE): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.RECOVER): Meeting.SUPERSEDE,
    (Kind.DELETE, Kind.DELETE): Meeting.NO_OP,
}
