"""Taking away any single rule of the manifest breaks connecting, or renewing, by name: each one is needed and checked.

The `connect` flow runs in this process: on the real host, as a ServiceAccount with the manifest less one rule.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pytest
import yaml
from django.conf import LazySettings
from django.utils import timezone

from accounts.services.audit import Actor
from clusters.host_permissions import permissions_of
from clusters.host_roles import manifest_render
from clusters.host_rules import HOST_RULES, RENEWAL_RULES, TENANT_RULES, Rule, namespace_rules
from clusters.models import HostCredential, HostMode, Operation, OperationState
from clusters.services.hosts import HostSettings, host_connect
from dev.errors import DevError
from dev.waiting import wait_until
from localkube import LocalHost
from tests.commands import Kubectl
from tests.conftest import LOCAL_CHART
from tests.e2e.credentials import kubeconfig_read, with_token
from tests.e2e.in_process import operation_finish

pytestmark = [pytest.mark.localkube, pytest.mark.django_db]

GIVEN = "rules-given"
NUMBERS = itertools.count()
RULES = [
    *(("cluster", rule) for rule in (*HOST_RULES, *TENANT_RULES)),
    *(("namespaces", rule) for rule in namespace_rules(GIVEN)),
]


@dataclass(frozen=True)
class Trial:
    """A host on which the manifest of one mode is tried, and Marina's own account there."""

    mode: str
    kubectl: Kubectl
    kubeconfig: str

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def connect(self) -> Operation:
        """In this process, until it ended."""
        wanted = HostSettings(name=f"rules-{next(NUMBERS)}", mode=HostMode(self.mode), namespaces=_given(self.mode))
        actor = Actor(user=None, name="test")
        return operation_finish(
            host_connect(settings=wanted, kubeconfig=self.kubeconfig, actor=actor, now=timezone.now()).operation
        )

    def connect_until(self, expected: Callable[[Operation], bool]) -> Operation:
        """The last try: a host takes a moment to go by a role that was changed."""
        tries: list[Operation] = []

        def as_expected() -> bool:
            tries.append(self.connect())
            return expected(tries[-1])

        with suppress(DevError):
            wait_until(as_expected, seconds=20, what="Connecting did not end as expected")
        return tries[-1]


@pytest.fixture(scope="module")
def trials(local_hosts: Mapping[str, LocalHost], admin_of: Callable[[str], Kubectl]) -> Iterator[dict[str, Trial]]:
    """By mode; on a host each, because rights add up. The whole manifests are back in the end."""
    found = {}
    for mode, name in (("cluster", "harbor-east"), ("namespaces", "harbor-west")):
        kubectl = admin_of(name)
        kubectl("create", "namespace", GIVEN)
        kubectl("apply", "-f", "-", stdin=_manifest(mode))
        token = kubectl("create", "token", "marina", "-n", "marina-system").stdout.strip()
        found[mode] = Trial(mode, kubectl, with_token(kubeconfig_read(local_hosts[name].kubeconfig), token))
    yield found
    for trial in found.values():
        trial.apply(_manifest(trial.mode))
        trial.kubectl("delete", "namespace", GIVEN, "--wait=false")


@pytest.fixture(autouse=True)
def _chart(settings: LazySettings) -> None:
    settings.CHART_FOLDER = str(LOCAL_CHART)


def _given(mode: str) -> tuple[str, ...]:
    return (GIVEN,) if mode == "namespaces" else ()


def _manifest(mode: str) -> str:
    return manifest_render(mode="namespaces" if mode == "namespaces" else "cluster", namespaces=_given(mode))


def without(rule: Rule, mode: str) -> str:
    """The manifest less one rule."""
    documents = list(yaml.safe_load_all(_manifest(mode)))
    roles = [document for document in documents if rule.as_manifest() in document.get("rules", [])]
    assert len(roles) == 1
    roles[0]["rules"].remove(rule.as_manifest())
    return yaml.safe_dump_all(documents)


def test_with_the_whole_manifest_connecting_succeeds_and_the_token_can_be_renewed(trials: dict[str, Trial]) -> None:
    operation = trials["cluster"].connect()
    assert operation.state == OperationState.SUCCEEDED, operation.message
    assert _renewable(operation)


@pytest.mark.parametrize(
    ("mode", "rule"), RULES, ids=[f"{mode}-{'+'.join(rule.resources)}-{rule.verbs[0]}" for mode, rule in RULES]
)
def test_without_this_rule_connecting_fails_and_names_what_is_missing(
    trials: dict[str, Trial], mode: str, rule: Rule
) -> None:
    # what the host's own rules grant everywhere is not missing in a namespace
    elsewhere = permissions_of(HOST_RULES) if rule in TENANT_RULES else ()
    missing = [str(permission) for permission in permissions_of([rule]) if permission not in elsewhere]
    assert missing

    def refused(operation: Operation) -> bool:
        return all(right in operation.error_message for right in missing)

    trials[mode].apply(without(rule, mode))
    operation = trials[mode].connect_until(refused)
    assert refused(operation), operation.message
    assert (operation.state, operation.error_code) == (OperationState.FAILED, "permissions")


@pytest.mark.parametrize("rule", RENEWAL_RULES, ids=lambda rule: rule.resources[0])
def test_without_this_rule_the_token_is_not_renewed_by_itself(trials: dict[str, Trial], rule: Rule) -> None:
    def connected_without_renewal(operation: Operation) -> bool:
        return operation.state == OperationState.SUCCEEDED and not _renewable(operation)

    trials["cluster"].apply(without(rule, "cluster"))
    operation = trials["cluster"].connect_until(connected_without_renewal)
    assert connected_without_renewal(operation), operation.message


def _renewable(operation: Operation) -> bool:
    return HostCredential.objects.get(host=operation.host_id).renewable
