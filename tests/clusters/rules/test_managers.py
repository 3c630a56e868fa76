"""Whose a field manager is, and what is a steady interval."""

import random

import pytest

from clusters.lifecycle.bursts import KEPT, bursts
from clusters.lifecycle.managers import PEOPLES_TOOLS, SYSTEM, told_of, verdict_learnt
from clusters.lifecycle.steadiness import steady
from clusters.models import Verdict

TEN_MINUTES = [600.0 * each for each in range(8)]


@pytest.mark.parametrize(
    "manager",
    [
        "marina",
        "marina-restore",
        "vcluster",
        "kube-controller-manager",
        "kube-apiserver",
        "kube-apiserver-1.36.3",
        "kube-scheduler",
        "kubelet",
        "clusterrole-aggregation-controller",
        "api-priority-and-fairness-config-producer-v1",
    ],
)
def test_kubernetes_vcluster_and_marina_are_the_system_whatever_is_seen_of_them(manager: str) -> None:
    seen = {manager: Verdict.PERSON}
    assert verdict_learnt(manager, times=TEN_MINUTES, clients=seen) == Verdict.SYSTEM
    assert told_of(manager, SYSTEM)


@pytest.mark.parametrize(
    "manager",
    [
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-annotate",
        "kubectl-edit",
        "kubectl-rollout",
        "helm",
        "Helm",
        "k9s",
        "Terraform",
        "HashiCorp",
        "pulumi-kubernetes",
        "OpenAPI-Generator",
        "node-fetch",
        "curl",
        "flux",
    ],
)
def test_tools_of_people_are_peoples(manager: str) -> None:
    assert verdict_learnt(manager) == Verdict.PERSON
    assert told_of(manager, PEOPLES_TOOLS)


@pytest.mark.parametrize(
    "manager",
    [
        "argocd-controller",
        "argocd-application-controller",
        "kustomize-controller",
        "helm-controller",
        "cert-manager-certificates-trigger",
        "cert-manager-cainjector",
        "manager",
        "prometheus-operator",
        "my-marina",
        "not-kubectl",
        "x",
        "",
    ],
)
def test_what_nobody_knows_runs_inside(manager: str) -> None:
    assert verdict_learnt(manager) == Verdict.INSIDE


def test_what_the_gateway_saw_people_or_ci_use_is_theirs() -> None:
    seen = {"my-tool": Verdict.PERSON, "deploy-bot": Verdict.CI, "kubectl": Verdict.CI}
    assert verdict_learnt("my-tool", clients=seen) == Verdict.PERSON
    assert verdict_learnt("Deploy-Bot", clients=seen) == Verdict.CI
    assert verdict_learnt("kubectl-annotate", clients=seen) == Verdict.CI
    assert verdict_learnt("my-tool-2", clients=seen) == Verdict.INSIDE
    assert verdict_learnt("helm", clients=seen) == Verdict.PERSON


@pytest.mark.parametrize("manager", ["kubectl-annotate", "helm", "operator"])
def test_who_writes_at_a_steady_interval_is_steady_whatever_it_is_called(manager: str) -> None:
    assert verdict_learnt(manager, times=TEN_MINUTES) == Verdict.STEADY
    assert verdict_learnt(manager, times=TEN_MINUTES[:4]) != Verdict.STEADY, "four times are three intervals"
    assert verdict_learnt(manager, times=[*TEN_MINUTES, 4300.0]) != Verdict.STEADY, "one more, out of turn"


def test_an_interval_may_be_a_little_uneven() -> None:
    assert steady([0, 590, 1210, 1800, 2395])
    assert not steady([0, 590, 1900, 2000, 2395])
    assert not steady([0, 0, 0, 0, 0, 0])
    assert not steady([])


def test_somebody_at_work_all_the_time_is_hardly_ever_taken_for_a_program() -> None:
    """Looked at every ten minutes, their newest write is anywhere in the last ten."""
    chance = random.Random(7)
    days = [[600 * turn + chance.uniform(0, 600) for turn in range(KEPT)] for _ in range(5000)]
    assert sum(steady(day) for day in days) < 25


def test_one_apply_of_many_objects_is_one_burst_and_no_interval() -> None:
    assert bursts([], [float(second) for second in range(60)]) == [0.0]
    assert bursts([0.0], [1000.0, 1001.0, 1029.0, 1058.0, 2000.0]) == [0.0, 1000.0, 2000.0]


def test_only_the_last_ones_are_kept_in_order() -> None:
    assert bursts(TEN_MINUTES, [6000.0, 5400.0]) == [*TEN_MINUTES[2:], 5400.0, 6000.0]
    assert bursts([], []) == []
