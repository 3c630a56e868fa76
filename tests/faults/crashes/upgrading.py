"""How `upgrade` is set in motion: one minor up, and one to a version whose image is nowhere, which is put back."""

from typing import Final

from django.utils import timezone

from clusters.models import Operation
from clusters.services.upgrading import VersionChange, upgrade_preflight, virtual_cluster_upgrade
from tests.faults.crashes.stage import Stage

MISSING: Final = "1.36.9"
OFFERED: Final = (MISSING, "1.36.3", "1.35.4")


def upgrade(stage: Stage) -> Operation:
    return _upgrade(stage, before="1.35.4", to="1.36.3")


def upgrade_put_back(stage: Stage) -> Operation:
    if stage.fake:
        stage.fake.missing.add(MISSING)
    return _upgrade(stage, before="1.36.3", to=MISSING)


def preflight_of_upgrade(stage: Stage) -> Operation:
    cluster = stage.ready_cluster(stage.host(), version="1.35.4")
    return upgrade_preflight(virtual_cluster=cluster, actor=stage.actor, now=timezone.now(), change=_to("1.36.3"))


def _upgrade(stage: Stage, *, before: str, to: str) -> Operation:
    cluster = stage.ready_cluster(stage.host(), version=before)
    work = virtual_cluster_upgrade(virtual_cluster=cluster, actor=stage.actor, now=timezone.now(), change=_to(to))
    return work.operation


def _to(version: str) -> VersionChange:
    return VersionChange(kubernetes_version=version)
