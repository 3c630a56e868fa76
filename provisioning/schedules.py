"""What is done again and again. When each was done last is a row: no beat, no file and no broker has to remember it.

Beat sends one tick a second; which schedules are due is found and claimed in the database, by its clock. So two beats,
or two ticks at once, never run one schedule twice, and one that was missed, for however long, is caught up once.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from clusters.models import Schedule

EARLY_SECONDS = 0.4
"""A tick that comes this much early counts: else one of a second's period would now and then wait for the next tick."""
EXPIRY_SECONDS = 10.0
"""The least time after which a message that nobody took is worth nothing, because the next one is there."""


@dataclass(frozen=True)
class Scheduled:
    """One schedule: the task's name and how often it is run."""

    name: str
    task: str
    seconds: float

    @property
    def expires(self) -> float:
        """Seconds after which its message is dropped."""
        return max(self.seconds, EXPIRY_SECONDS)


def schedules() -> tuple[Scheduled, ...]:
    """All there are."""
    return (
        Scheduled("tidy", "provisioning.tidy", 10.0),
        Scheduled("tidy-hourly", "provisioning.tidy_hourly", 3600.0),
        Scheduled("audit-seal", "provisioning.audit_seal", 5.0),
        Scheduled("audit-retain", "provisioning.audit_retain", 3600.0),
        # what waits for these are programs; a message that comes twice finds nothing to do
        Scheduled("events", "provisioning.events_publish", 1.0),
        Scheduled("webhooks", "provisioning.webhooks_deliver", 1.0),
        Scheduled("mail", "provisioning.mail_deliver", 5.0),
        # a role that is taken ends kubeconfigs within a minute: this, a worker's turn and the virtual API's own memory
        Scheduled("access-revoke", "provisioning.access_revoke", 15.0),
        Scheduled("credentials-renew", "provisioning.credentials_renew", 60.0),
        Scheduled("chart", "provisioning.chart_note", 60.0),
        Scheduled("durations", "provisioning.durations_measure", 60.0),
        Scheduled("sleep-schedules", "provisioning.sleep_schedules_run", 20.0),
        Scheduled("upgrades", "provisioning.upgrades_run", 30.0),
        Scheduled("rollouts", "provisioning.rollouts_advance", 1.0),
        Scheduled("placements", "provisioning.placements_sweep", 60.0),
        Scheduled("cleanup", "provisioning.cleanup_sweep", settings.CLEANUP_SWEEP_SECONDS),
        Scheduled("probes", "provisioning.hosts_probe", settings.PROBE_SECONDS),
        Scheduled("signals", "provisioning.signals_gather", 30.0),
        Scheduled("changes", "provisioning.changes_survey", min(settings.CHANGE_SURVEY_SECONDS / 2, 5.0)),
        # more often than one host's turn comes: a message's worth of surveys is small
        Scheduled("surveys", "provisioning.hosts_survey", min(settings.SURVEY_SECONDS / 2, 5.0)),
    )


def schedules_tick(*, send: Callable[[Scheduled], None]) -> list[str]:
    """Claims every schedule that is due and sends it; their names.

    The claim counts only if all could be sent: where `send` raises, they are due again at the next tick.
    """
    known = {each.name: each for each in schedules()}
    Schedule.objects.bulk_create((Schedule(name=name) for name in known), ignore_conflicts=True)
    with transaction.atomic():
        rows = Schedule.objects.filter(_due(known.values())).select_for_update(skip_locked=True)
        due = sorted(rows.values_list("name", flat=True))
        if due:
            Schedule.objects.filter(name__in=due).update(ticked_at=Now())
        for name in due:
            send(known[name])
    return due


def _due(known: Iterable[Scheduled]) -> Q:
    return reduce(or_, (_its_turn(each) for each in known))


def _its_turn(scheduled: Scheduled) -> Q:
    last = Now() - timedelta(seconds=max(scheduled.seconds - EARLY_SECONDS, 0.0))
    return Q(name=scheduled.name) & (Q(ticked_at__isnull=True) | Q(ticked_at__lte=last))
