"""When somebody loses a role, leaves a team or is deactivated: what they answered for needs somebody else."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, Protocol

from accounts.models import ServiceAccount, Team, User
from accounts.services.permissions import Subject
from accounts.services.personal_projects import personal_projects_close


class AccessLost(Protocol):
    """Looks after what these people and teams own and can no longer see, in the transaction of the loss."""

    def __call__(self, *, users: Collection[User], teams: Collection[Team], now: datetime) -> None: ...


ACCESS_LOST: Final[list[AccessLost]] = []
"""Called after the loss, by whatever takes access away: an app above passes on what it knows of."""


def access_lost(*, subject: Subject, now: datetime) -> None:
    """To be called when a subject may less than before. With a team its members do, too."""
    if isinstance(subject, Team):
        access_lost_by(users=list(subject.members.all()), teams=[subject], now=now)
    else:
        user = subject.user if isinstance(subject, ServiceAccount) else subject
        access_lost_by(users=[user], teams=[], now=now)


def access_lost_by(*, users: Collection[User], teams: Collection[Team], now: datetime) -> None:
    """The same for several."""
    if not users and not teams:
        return
    personal_projects_close(users=users, now=now)
    for pass_on in ACCESS_LOST:
        pass_on(users=users, teams=teams, now=now)
