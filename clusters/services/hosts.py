"""Connecting, changing and disconnecting host clusters. Nothing here dials a host: the `connect` operation does."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.errors import Conflict, InvalidInput
from accounts.models import Organization, Project
from accounts.services.audit import Actor, audit_record
from clusters.access import host_connect_require, host_require
from clusters.chart_values import values_check
from clusters.connection import HostConnection, connection_expires_at
from clusters.encryption import connection_encrypt
from clusters.host_loss import placements_to_recover
from clusters.host_roles import namespaces_check
from clusters.kubeconfig import kubeconfig_parse
from clusters.lifecycle.ingress_metrics import ingress_metrics_told
from clusters.lifecycle.required_signals import required_signals_check
from clusters.models import (
    Breaker,
    Exposure,
    HostCluster,
    HostCredential,
    HostMode,
    HostPhase,
    HostScope,
    Operation,
    OperationKind,
    OperationState,
    Placement,
    PlacementRole,
)
from clusters.names import labels_validate, name_validate
from clusters.selectors import chart_schema
from clusters.services.host_holding import host_held_refuse
from clusters.services.host_offers import Offer, offer_check, offer_now, offer_write
from clusters.services.operations import operation_start, subject_lock
from clusters.services.traffic import traffic_forget

CONCURRENCY = 8
"""How many operations may work on a host at once, where nobody says otherwise."""
CONCURRENCY_MOST = 100


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """What an administrator says of a host, besides its credential."""

    name: str
    mode: HostMode = HostMode.CLUSTER
    namespaces: tuple[str, ...] = ()
    scope: HostScope = HostScope.PLATFORM
    organization: Organization | None = None
    labels: dict[str, str] = field(default_factory=dict)
    region: str = ""
    exposure: Exposure = Exposure.NONE
    values: dict[str, Any] = field(default_factory=dict)
    concurrency: int = CONCURRENCY
    offered_to_all: bool | None = None
    """None: a host of the platform for which nobody is named is offered to all."""
    offered_to_organizations: tuple[Organization, ...] = ()
    offered_to_projects: tuple[Project, ...] = ()

    @property
    def offer(self) -> Offer:
        """To whom it is offered."""
        offer = Offer(
            to_all=self.offered_to_all,
            organizations=self.offered_to_organizations,
            projects=self.offered_to_projects,
        )
        if self.offered_to_all is None and self.scope == HostScope.PLATFORM and not offer.names_somebody:
            return replace(offer, to_all=True)
        return offer


@dataclass(frozen=True)
class HostConnecting:
    """A host and the operation that connects it."""

    host: HostCluster
    operation: Operation


@transaction.atomic
def host_connect(*, settings: HostSettings, kubeconfig: bytes | str, actor: Actor, now: datetime) -> HostConnecting:
    """Writes the host with phase Pending and its `connect` operation.

    Raises InvalidInput for anything wrong with the kubeconfig's form or the settings; then nothing is written.
    """
    if actor.user is not None:
        host_connect_require(actor.user, settings.organization)
    connection = kubeconfig_parse(kubeconfig)
    host_settings_check(settings)
    offer_check(settings.offer, organization=settings.organization, actor=actor)
    host = _host_create(settings, server=connection.server)
    offer_write(settings.offer, host=host)
    host.save(update_fields=["offered_to_all"])
    _audit(actor, "host.connect", host, server=connection.server, mode=host.mode)
    return HostConnecting(host, _connect_start(host=host, connection=connection, actor=actor, now=now))


def _host_create(settings: HostSettings, *, server: str) -> HostCluster:
    try:
        with transaction.atomic():
            return HostCluster.objects.create(
                name=settings.name,
                mode=settings.mode,
                namespaces=list(settings.namespaces),
                scope=settings.scope,
                organization=settings.organization,
                labels=settings.labels,
                region=settings.region,
                exposure=settings.exposure,
                values=settings.values,
                concurrency=settings.concurrency,
                server=server,
            )
    except IntegrityError:  # the only constraint that the checks before cannot rule out: two requests at once
        raise _name_taken(settings.name) from None


def _name_taken(name: str) -> InvalidInput:
    return InvalidInput(
        f"There is a host cluster named {name} already.",
        field="name",
        accepted="a name not in use",
        hint=f"Give that one a credential (marina host renew {name}) or forget it (marina host disconnect {name}).",
    )


@transaction.atomic
def host_credential_replace(
    *, host: HostCluster, kubeconfig: bytes | str, actor: Actor, now: datetime
) -> HostConnecting:
    """Gives a host a new credential and connects it anew; what is placed there goes on meanwhile."""
    if actor.user is not None:
        host_require(actor.user, "host.connect", host)
    connection = kubeconfig_parse(kubeconfig)
    _audit(actor, "host.credential", host, server=connection.server)
    return HostConnecting(host, _connect_start(host=host, connection=connection, actor=actor, now=now))


def _connect_start(*, host: HostCluster, connection: HostConnection, actor: Actor, now: datetime) -> Operation:
    subject_lock(host)
    candidate = connection_encrypt(connection)
    HostCredential.objects.update_or_create(host=host, defaults={"candidate": candidate})
    return operation_start(kind=OperationKind.CONNECT, subject=host, actor=actor, now=now).operation


def credential_store(*, host: HostCluster, connection: HostConnection, now: datetime, renewable: bool) -> None:
    """Keeps a credential that was proved, in place of the one in use."""
    _candidate_forget(host)
    HostCredential.objects.filter(host=host).update(
        ciphertext=connection_encrypt(connection),
        generation=F("generation") + 1,
        issued_at=now,
        expires_at=connection_expires_at(connection),
        renewable=renewable,
    )
    HostCluster.objects.filter(pk=host.pk).update(server=connection.server)


def candidate_erase(*, host: HostCluster) -> None:
    """Forgets a credential that could not be proved; a host that had none before is Failed and takes nothing."""
    _candidate_forget(host)
    if HostCredential.objects.filter(host=host, ciphertext__isnull=True, candidate__isnull=True).delete()[0]:
        HostCluster.objects.filter(pk=host.pk).update(phase=HostPhase.FAILED)


def _candidate_forget(host: HostCluster) -> None:
    """Unless it is a later one, which a queued `connect` has still to prove."""
    if not host.operations.filter(kind=OperationKind.CONNECT, state=OperationState.QUEUED).exists():
        HostCredential.objects.filter(host=host).update(candidate=None)


def host_settings_check(settings: HostSettings) -> None:
    """What can be known to be wrong without the host: raises InvalidInput, naming the field."""
    name_validate(settings.name)
    if HostCluster.objects.filter(name=settings.name).exists():
        raise _name_taken(settings.name)
    namespaces_check("namespaces" if settings.mode == HostMode.NAMESPACES else "cluster", settings.namespaces)
    if (settings.scope == HostScope.ORGANIZATION) != (settings.organization is not None):
        raise InvalidInput(
            "A host of scope organization names its organization, one of scope platform names none.",
            field="organization",
            accepted="an organization together with scope organization",
        )
    host_change_check(labels=settings.labels, values=settings.values, concurrency=settings.concurrency)


def host_change_check(*, labels: dict[str, str], values: dict[str, Any], concurrency: int) -> None:
    """Raises InvalidInput, naming the key. Whoever may connect a host may set what is kept from tenants."""
    if not 1 <= concurrency <= CONCURRENCY_MOST:
        raise InvalidInput(
            f"{concurrency} operations cannot be at work on a host at once.",
            field="concurrency",
            accepted=f"a number from 1 to {CONCURRENCY_MOST}",
        )
    labels_validate(labels, reserved=())  # topology.kubernetes.io/region and the like are what hosts have
    values_check(values, schema=chart_schema(), acting_staff=True, field="values")


@transaction.atomic
def host_update(
    *,
    host: HostCluster,
    actor: Actor,
    cordoned: bool | None = None,
    labels: dict[str, str] | None = None,
    region: str | None = None,
    exposure: Exposure | None = None,
    values: dict[str, Any] | None = None,
    concurrency: int | None = None,
    required_signals: dict[str, str] | None = None,
    ingress_metrics: Mapping[str, Any] | None = None,
    offered_to_all: bool | None = None,
    offered_to_organizations: tuple[Organization, ...] | None = None,
    offered_to_projects: tuple[Project, ...] | None = None,
) -> HostCluster:
    """Changes what is given (None leaves a field as it is). What runs on the host is not touched by it.

    `required_signals` says of the kinds in it whether they are required, and nothing of the others. `ingress_metrics`
    names where its ingress controller counts requests (clusters/lifecycle/ingress_metrics.py); empty for nowhere.
    """
    if actor.user is not None:
        host_require(actor.user, "host.update", host)
    host_change_check(
        labels=labels or {}, values=values or {}, concurrency=CONCURRENCY if concurrency is None else concurrency
    )
    required_signals_check(required_signals or {})
    changes = {
        "cordoned": cordoned,
        "labels": labels,
        "region": region,
        "exposure": exposure,
        "values": values,
        "concurrency": concurrency,
        "required_signals": required_signals,
        "ingress_metrics": None if ingress_metrics is None else ingress_metrics_told(ingress_metrics),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    locked = HostCluster.objects.select_for_update(of=("self",)).get(pk=host.pk)
    if required_signals is not None:
        given["required_signals"] = {**locked.required_signals, **required_signals}
    offer = Offer(to_all=offered_to_all, organizations=offered_to_organizations, projects=offered_to_projects)
    offer_check(offer, organization=locked.organization, actor=actor)
    # values may hold what a host keeps to itself; that they changed is told, not how
    before = {name: getattr(locked, name) for name in given if name != "values"} | offer_now(offer, host=locked)
    for name, value in given.items():
        setattr(locked, name, value)
    locked.generation += 1
    offered = offer_write(offer, host=locked)
    locked.save(update_fields=[*given, "generation", "offered_to_all"])
    if before.get("ingress_metrics") != given.get("ingress_metrics"):
        traffic_forget(host=locked, reported=bool(locked.ingress_metrics))
    told = {name: "changed" if name == "values" else value for name, value in given.items()}
    changed = told | offered
    _audit(actor, "host.update", locked, before={key: before[key] for key in changed if key in before}, after=changed)
    return locked


@transaction.atomic
def host_disconnect(*, host: HostCluster, actor: Actor) -> None:
    """Forgets a host and its credential. Raises Conflict while something is placed on it or an operation is at work.

    Nothing is changed on the host itself: what the administrator applied there is the administrator's to remove. Of a
    host that is lost and does not answer it is forgotten too what was on it, once all of that is made again elsewhere.
    """
    if actor.user is not None:
        host_require(actor.user, "host.disconnect", host)
    subject_lock(host)
    _lost_forget(host)
    host_held_refuse(host=host, actor=actor)
    active = host.operations.filter(lock_key__isnull=False, finished_at=None).first()
    if active:
        raise Conflict(
            f"{host.name} is busy: {active.kind} is at work.",
            hint=f"Wait for operation {active.pk} or abort it.",
            operation_id=active.pk,
        )
    _audit(actor, "host.disconnect", host)
    host.delete()


def _lost_forget(host: HostCluster) -> None:
    """What was on a host that is lost for good. What waits for it ends by itself, since nothing of it is there."""
    now = HostCluster.objects.only("lost_at", "breaker").get(pk=host.pk)
    if now.lost_at is None or now.breaker != Breaker.OPEN:
        return
    left = list(placements_to_recover(host))
    if any(each.role != PlacementRole.ACTIVE for each in left):
        raise Conflict(
            f"{len(left)} of the clusters that were lost with {host.name} are not made again yet.",
            hint=f"See which with `marina host lost {host.name} --dry-run`; recover them, or delete them.",
        )
    forgotten = (PlacementRole.LOST, PlacementRole.RETAINED, PlacementRole.LEAVING)
    Placement.objects.filter(host=host, role__in=forgotten).delete()


def _audit(actor: Actor, action: str, host: HostCluster, **details: Any) -> None:
    audit_record(
        actor=actor,
        action=action,
        kind="host-cluster",
        object_id=host.pk,
        name=host.name,
        organization_id=host.organization_id,
        details=details,
    )
