"""The Celery tasks. Each only names what is to be done; the rows say what it is."""

from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.services.idempotency import idempotent_requests_remove
from accounts.services.role_bindings import role_bindings_expire
from clusters.services.credentials import credentials_renew
from clusters.services.kubeconfigs import sealed_results_expire
from provisioning import charts, probes, worker
from provisioning.probe_claims import probe_claimed


@shared_task(name="provisioning.operation_run")
def operation_run(operation_id: str) -> None:
    """Works on the operation whose turn it is: the message is a wake-up, and this one was sent for `operation_id`."""
    worker.operation_run_next()


@shared_task(name="provisioning.tidy")
def tidy() -> None:
    """Every few seconds: what must not stay longer than promised."""
    now = timezone.now()
    sealed_results_expire(now=now)
    role_bindings_expire(now=now)


@shared_task(name="provisioning.tidy_hourly")
def tidy_hourly() -> None:
    """What is kept for a day."""
    idempotent_requests_remove(now=timezone.now())


@shared_task(name="provisioning.credentials_renew")
def credentials_renewed() -> None:
    """Starts the renewal of host tokens that passed half of their life."""
    credentials_renew(now=timezone.now())


@shared_task(name="provisioning.chart_note")
def chart_note() -> None:
    """Fetches the configured chart where no worker did so yet, so that values are checked before they are stored."""
    charts.chart_ensure(settings.CHART_VERSION)


@shared_task(name="provisioning.probes_start")
def probes_start() -> None:
    """One probe a host, each its own message, so that a dead host delays no other."""
    for host_id in probes.hosts_to_probe():
        host_probe.delay(str(host_id))


@shared_task(name="provisioning.host_probe", expires=60)
def host_probe(host_id: str) -> None:
    """Looks at one host and at what is placed there, unless the last look still goes on."""
    with probe_claimed(UUID(host_id)) as mine:
        if mine:
            probes.host_probe(UUID(host_id), clients=worker.worker().clients, now=timezone.now())
