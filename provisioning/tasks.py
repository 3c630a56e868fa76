"""The Celery tasks. Each only names what is to be done; the rows say what it is."""

from contextlib import suppress
from uuid import UUID

import structlog
from celery import current_app, shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.services.audit_events import audit_events_publish
from accounts.services.audit_sealing import audit_retain, audit_seal
from accounts.services.delivering import mail_deliver
from accounts.services.federation import spent_assertions_forget
from accounts.services.idempotency import idempotent_requests_remove
from accounts.services.invitation_delivering import invitation_mail_deliver
from accounts.services.notification_events import notification_events_publish
from accounts.services.notifications import notifications_remove
from accounts.services.own_account import ended_sessions_forget
from accounts.services.revisions import revisions_tidy
from accounts.services.role_bindings import role_bindings_expire
from accounts.services.token_maximum import tokens_shorten
from accounts.services.token_reach import tokens_without_reach_revoke
from accounts.services.webhook_delivering import postman, webhook_deliveries_remove
from clusters.services.announcing import operations_announce
from clusters.services.cleanup import cleanup_runs_remove, sweep
from clusters.services.credentials import credentials_renew
from clusters.services.durations import durations_measure
from clusters.services.export_retention import exports_expire
from clusters.services.gateway_requests import gateway_requests_remove
from clusters.services.gateway_token_upkeep import gateway_tokens_shorten, gateway_tokens_without_role_revoke
from clusters.services.host_notices import hosts_tell
from clusters.services.idle_signals import signals_gather
from clusters.services.kubeconfig_grants import access_revoke
from clusters.services.kubeconfigs import sealed_results_expire
from clusters.services.placements import placements_sweep
from clusters.services.rollout_advancing import rollouts_advance
from clusters.services.schedule_running import sleep_schedules_run
from clusters.services.upgrade_running import upgrades_run
from provisioning import change_survey, charts, probes, schedules, survey, worker

log = structlog.get_logger(__name__)


@shared_task(name="provisioning.operation_run")
def operation_run(operation_id: str) -> None:
    """Works on the operation whose turn it is: the message is a wake-up, and this one was sent for `operation_id`."""
    worker.operation_run_next(UUID(operation_id))


@shared_task(name="provisioning.tidy")
def tidy() -> None:
    """Every few seconds: what must not stay longer than promised."""
    now = timezone.now()
    sealed_results_expire(now=now)
    role_bindings_expire(now=now)
    tokens_without_reach_revoke(now=now)
    tokens_shorten(now=now)
    gateway_tokens_without_role_revoke(now=now)
    gateway_tokens_shorten(now=now)


@shared_task(name="provisioning.tidy_hourly")
def tidy_hourly() -> None:
    """What is kept for a day, or for some days."""
    now = timezone.now()
    idempotent_requests_remove(now=now)
    notifications_remove(now=now)
    webhook_deliveries_remove(now=now)
    spent_assertions_forget(now=now)
    ended_sessions_forget(now=now)
    revisions_tidy(now=now)
    gateway_requests_remove(now=now)
    exports_expire(now=now)
    cleanup_runs_remove(now=now)


@shared_task(name="provisioning.events_publish")
def events_published() -> None:
    """Every second: events for webhooks of what was committed since, and notices of what failed or does not answer."""
    now = timezone.now()
    notification_events_publish(now=now)
    audit_events_publish(now=now)
    operations_announce(now=now)
    hosts_tell(now=now)


@shared_task(name="provisioning.webhooks_deliver")
def webhooks_delivered() -> None:
    """Every second: leaves what webhooks are due to threads, and does not wait for them."""
    postman().round()


@shared_task(name="provisioning.mail_deliver")
def mail_delivered() -> None:
    """Sends mail that is due."""
    invitation_mail_deliver(clock=timezone.now)
    mail_deliver(clock=timezone.now)


@shared_task(name="provisioning.audit_seal")
def audit_sealed() -> None:
    """Seals the audit rows that were committed since."""
    audit_seal()


@shared_task(name="provisioning.audit_retain")
def audit_retained() -> None:
    """Drops what the audit log has kept for long enough."""
    audit_retain(now=timezone.now())


@shared_task(name="provisioning.access_revoke")
def access_revoked() -> None:
    """Starts to end the access of those who have a kubeconfig and lost the role that gave it."""
    access_revoke(now=timezone.now())


@shared_task(name="provisioning.credentials_renew")
def credentials_renewed() -> None:
    """Starts the renewal of host tokens that passed half of their life."""
    credentials_renew(now=timezone.now())


@shared_task(name="provisioning.chart_note")
def chart_note() -> None:
    """Fetches the configured chart where no worker did so yet, so that values are checked before they are stored."""
    charts.chart_ensure(settings.CHART_VERSION)


@shared_task(name="provisioning.durations_measure")
def durations_measured() -> None:
    """How long operations usually take, for people who wait."""
    durations_measure(now=timezone.now())


@shared_task(name="provisioning.schedules_tick")
def schedules_tick() -> None:
    """Every second: sends the tasks whose time has come."""
    try:
        schedules.schedules_tick(send=_send)
    except (OperationalError, ConnectionError, TimeoutError) as error:
        log.warning("broker did not take what is due; the next tick sends it again", error=str(error))


def _send(scheduled: schedules.Scheduled) -> None:
    current_app.send_task(scheduled.task, expires=scheduled.expires, retry=False, ignore_result=True)


@shared_task(name="provisioning.sleep_schedules_run")
def sleep_schedules() -> None:
    """Puts to sleep, wakes and exports what has its time."""
    sleep_schedules_run(now=timezone.now())


@shared_task(name="provisioning.upgrades_run")
def upgrades_begun() -> None:
    """Plans upgrades, warns of ends of support, and begins what is due in its maintenance window."""
    upgrades_run(now=timezone.now())


@shared_task(name="provisioning.rollouts_advance")
def rollouts_advanced() -> None:
    """Every second: begins what has its turn in rollouts, and counts what ended."""
    rollouts_advance(now=timezone.now())


@shared_task(name="provisioning.placements_sweep")
def placements_remove() -> None:
    """Removes what moves left on hosts, once it was kept long enough."""
    placements_sweep(now=timezone.now())


@shared_task(name="provisioning.cleanup_sweep")
def cleanup_sweep() -> None:
    """Warns of, puts to sleep and deletes what nobody uses."""
    sweep(now=timezone.now())


@shared_task(name="provisioning.hosts_probe")
def hosts_probe() -> None:
    """Asks every host whose turn it is whether it is there; another worker is called where there are many."""
    probes.prober().round(more=_another, stopping=worker.worker().stopping.is_set)


def _another() -> None:
    """Without help this process asks them all by itself."""
    with suppress(OperationalError, ConnectionError, TimeoutError):
        hosts_probe.apply_async(expires=schedules.EXPIRY_SECONDS, retry=False)


@shared_task(name="provisioning.hosts_survey")
def hosts_survey() -> None:
    """Looks at the hosts whose turn it is, and at what is placed there, for a few seconds."""
    own = worker.worker()
    survey.hosts_survey(clients=own.clients, clock=timezone.now, stopping=own.stopping.is_set)


@shared_task(name="provisioning.signals_gather")
def signals_gathered() -> None:
    """Takes over what gateways and services wrote down of the use of clusters."""
    signals_gather(now=timezone.now())


@shared_task(name="provisioning.changes_survey")
def changes_survey() -> None:
    """Looks into the virtual clusters whose turn it is for who wrote there, for a few seconds."""
    own = worker.worker()
    change_survey.changes_survey(clients=own.clients, clock=timezone.now, stopping=own.stopping.is_set)
