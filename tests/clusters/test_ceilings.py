"""A project or a cluster may lower what kubeconfigs give inside, whatever the role."""

import pytest
from django.utils import timezone

from accounts.errors import NotAllowed
from accounts.models import Project
from accounts.services.audit import Actor
from clusters.models import OperationKind
from clusters.services.kubeconfigs import sealed_result_take
from tests.accounts.conftest import signed_in
from tests.clusters.conftest import problem
from tests.clusters.making import PUBLIC_KEY, operation_row, ready_row


def where(cluster) -> str:
    return f"/api/v1/virtual-clusters/{cluster.pk}"


def lowered(world, cluster, project: str, own: str) -> None:
    Project.objects.filter(pk=world.payments.pk).update(kubeconfig_ceiling=project)
    type(cluster).objects.filter(pk=cluster.pk).update(kubeconfig_ceiling=own)


@pytest.mark.parametrize(
    ("project", "own", "gives"),
    [
        ("admin", "admin", "admin"),
        ("view", "admin", "view"),
        ("admin", "view", "view"),
        ("none", "admin", None),
        ("view", "none", None),
    ],
)
def test_the_lower_of_both_ceilings_counts(world, people, dan, host, project, own, gives):
    cluster = ready_row(world, host)
    lowered(world, cluster, project, own)
    answer = dan.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json")
    if gives is None:
        assert "ceiling" in problem(answer, 403, "kubeconfig-ceiling")["detail"]
        assert not cluster.operations.filter(kind=OperationKind.ISSUE_KUBECONFIG).exists()
    else:
        assert answer.status_code == 202, answer.content
        assert cluster.operations.get(kind=OperationKind.ISSUE_KUBECONFIG).params["level"] == gives


def test_the_refusal_says_whose_ceiling_it_is_and_who_can_raise_it(world, people, dan, host):
    cluster = ready_row(world, host)
    lowered(world, cluster, "view", "admin")
    said = problem(dan.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY, "level": "admin"}, "json"), 403)
    assert said["detail"] == (
        "The ceiling of acme/payments is view: kubeconfigs give view and no more, whatever your role."
    )
    assert "admin of acme/payments" in said["hint"]
    viewer = signed_in(people.vera)
    assert viewer.post(f"{where(cluster)}/kubeconfigs", {"public_key": PUBLIC_KEY}, "json").status_code == 202


def test_a_ceiling_that_was_lowered_meanwhile_keeps_a_finished_kubeconfig_back(world, people, host):
    cluster = ready_row(world, host)
    operation = operation_row(
        cluster,
        OperationKind.ISSUE_KUBECONFIG,
        requested_by=people.dan,
        params={"level": "admin"},
        sealed_result=b"x",
        sealed_until=timezone.now().replace(year=2099),
    )
    lowered(world, cluster, "admin", "view")
    with pytest.raises(NotAllowed, match="ceiling"):
        sealed_result_take(operation=operation, actor=Actor(user=people.dan), now=timezone.now())


def test_admins_set_the_ceiling_and_developers_do_not(world, people, dan, host):
    cluster = ready_row(world, host)
    problem(dan.patch(where(cluster), {"kubeconfig_ceiling": "view"}, "json"), 403)
    answer = signed_in(people.ada).patch(where(cluster), {"kubeconfig_ceiling": "view"}, "json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["kubeconfig_ceiling"] == "view"
    assert answer["ETag"] == '"2"'
    problem(dan.patch(f"/api/v1/projects/{world.payments.pk}", {"kubeconfig_ceiling": "none"}, "json"), 403)
    changed = signed_in(people.ada).patch(
        f"/api/v1/projects/{world.payments.pk}", {"kubeconfig_ceiling": "none"}, "json"
    )
    assert changed.json()["kubeconfig_ceiling"] == "none"


def test_a_ceiling_is_changed_together_with_labels_in_one_request(world, people, host):
    cluster = ready_row(world, host)
    body = {"kubeconfig_ceiling": "none", "labels": {"team": "tills"}}
    answer = signed_in(people.ada).patch(where(cluster), body, "json", HTTP_IF_MATCH='"1"')
    assert answer.status_code == 200, answer.content
    assert (answer.json()["kubeconfig_ceiling"], answer.json()["labels"]) == ("none", {"team": "tills"})
