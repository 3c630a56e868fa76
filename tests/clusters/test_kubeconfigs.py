"""Kubeconfigs are given to persons, at the level of their role, once, and readable by nobody else."""

import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from clusters.models import Operation, OperationKind, OperationState, VirtualCluster
from clusters.services.kubeconfigs import sealed_results_expire
from tests.accounts.conftest import give, person, signed_in
from tests.clusters.conftest import problem, refused
from tests.clusters.making import PUBLIC_KEY, operation_row, ready_row


@pytest.fixture
def cluster(world, host):
    return ready_row(world, host)


def ask(client, cluster, headers=None, **body):
    url = f"/api/v1/virtual-clusters/{cluster.pk}/kubeconfigs"
    return client.post(url, {"public_key": PUBLIC_KEY, **body}, "json", headers=headers)


@pytest.mark.parametrize(
    ("who", "highest"), [("vera", "view"), ("dan", "admin"), ("ada", "admin"), ("olivia", "admin")]
)
def test_the_highest_level_of_the_role_is_given_unless_a_lower_one_is_asked_for(world, people, cluster, who, highest):
    user = getattr(people, who, None) or world.olivia
    client = signed_in(user)
    answer = ask(client, cluster)
    assert answer.status_code == 202, answer.content
    operation = Operation.objects.get(kind=OperationKind.ISSUE_KUBECONFIG)
    assert answer["Operation-Location"] == f"/api/v1/operations/{operation.pk}"
    assert operation.params == {"level": highest, "expires_in": 3600, "public_key": PUBLIC_KEY}
    assert (operation.requested_by, operation.lock_key) == (user, None)
    row = AuditEvent.objects.get(action=f"virtualcluster.kubeconfig.{highest}")
    assert row.details == {"expires_in": 3600, "operation": str(operation.pk)}
    assert ask(client, cluster, level="view").status_code == 202
    assert AuditEvent.objects.filter(action="virtualcluster.kubeconfig.view").exists()


def test_a_level_above_the_role_is_refused_with_the_roles_that_have_it(people, cluster):
    body = problem(ask(signed_in(people.vera), cluster, level="admin"), 403, "forbidden")
    assert "project developer" in body["hint"]
    assert "viewer" not in body["hint"]
    for level in ({}, {"level": "view"}, {"level": "admin"}):
        problem(ask(signed_in(people.otto), cluster, **level), 403, "forbidden")
    assert not Operation.objects.filter(kind=OperationKind.ISSUE_KUBECONFIG).exists()


@pytest.mark.parametrize(
    ("body", "field", "accepted"),
    [
        ({"level": "king"}, "level", "admin, view"),
        ({"expires_in": 599}, "expires_in", "600 to 86400 seconds (10 minutes to 1 day)"),
        ({"expires_in": 86401}, "expires_in", "600 to 86400 seconds (10 minutes to 1 day)"),
        ({"expires_in": "soon"}, "expires_in", "a whole number"),
        ({"public_key": "x"}, "public_key", "32 bytes in base64"),
        ({"public_key": base64.b64encode(b"x" * 31).decode()}, "public_key", "32 bytes in base64"),
        ({"public_key": "ü" * 44}, "public_key", "32 bytes in base64"),
        ({"public_key": None}, "public_key", ""),
        ({"user": "olivia"}, "user", ""),
    ],
)
def test_what_cannot_be_accepted_is_refused_by_field(dan, cluster, body, field, accepted):
    assert accepted in refused(ask(dan, cluster, **body), field)["accepted"]


@pytest.mark.parametrize("seconds", [600, 86400])
def test_the_ends_of_the_range_are_accepted(dan, cluster, seconds):
    assert ask(dan, cluster, expires_in=seconds).status_code == 202


@pytest.mark.parametrize("phase", ["Pending", "Provisioning", "Failed", "Deleting", "Deleted"])
def test_only_a_ready_cluster_has_one(dan, cluster, phase):
    VirtualCluster.objects.update(phase=phase)
    body = problem(ask(dan, cluster), 409, "conflict")
    assert f"is {phase}" in body["detail"]
    assert "marina get hello" in body["hint"]


def test_two_may_be_asked_for_at_once_and_beside_other_work(dan, cluster):
    operation_row(cluster, OperationKind.PROVISION, state=OperationState.PROCESSING)
    assert [ask(dan, cluster).json()["operation"]["state"] for _ in range(2)] == ["Pending", "Pending"]


def test_a_repeated_request_with_the_same_key_issues_one(dan, cluster):
    answers = [ask(dan, cluster, headers={"Idempotency-Key": "k"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert Operation.objects.filter(kind=OperationKind.ISSUE_KUBECONFIG).count() == 1


# --- the sealed result ------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(people, cluster):
    """As a worker leaves it."""
    return operation_row(
        cluster,
        OperationKind.ISSUE_KUBECONFIG,
        state=OperationState.SUCCEEDED,
        requested_by=people.dan,
        sealed_result=b"sealed-to-a-key",
        sealed_until=timezone.now() + timedelta(seconds=60),
    )


def fetch(client, operation):
    return client.get(f"/api/v1/operations/{operation.pk}/sealed-result")


def shown(client, operation) -> bool:
    return bool(client.get(f"/api/v1/operations/{operation.pk}").json()["has_sealed_result"])


def test_it_is_handed_over_once_and_is_gone_from_the_database(dan, sealed):
    assert shown(dan, sealed)
    answer = fetch(dan, sealed)
    assert answer.status_code == 200
    assert base64.b64decode(answer.json()["sealed"]) == b"sealed-to-a-key"
    assert answer["Cache-Control"] == "no-store"
    sealed.refresh_from_db()
    assert sealed.sealed_result is None
    assert not shown(dan, sealed)
    assert "Ask for a new one" in problem(fetch(dan, sealed), 410, "gone")["hint"]


def test_who_only_looks_whether_it_is_there_does_not_take_it(dan, sealed):
    assert dan.head(f"/api/v1/operations/{sealed.pk}/sealed-result").status_code == 405
    assert fetch(dan, sealed).status_code == 200


@pytest.mark.parametrize("who", ["vera", "ada", "olivia", "otto", "eve", "op"])
def test_nobody_else_gets_it_whatever_their_role(world, people, sealed, who):
    user = getattr(people, who, None) or world.olivia
    problem(fetch(signed_in(user), sealed), 404, "not-found")
    sealed.refresh_from_db()
    assert sealed.sealed_result is not None


def test_who_lost_the_role_gets_it_no_more(world, people, sealed):
    from accounts.models import RoleBinding
    from accounts.services.role_bindings import role_binding_delete
    from tests.accounts.conftest import MARINA

    binding = RoleBinding.objects.get(user=people.dan)
    role_binding_delete(actor=MARINA, binding=binding, now=timezone.now())
    problem(fetch(signed_in(people.dan), sealed), 404, "not-found")


@pytest.mark.parametrize("level", ["admin", "view"])
def test_who_has_a_lower_role_by_now_gets_no_more_than_it_gives(world, people, sealed, level):
    from accounts.models import RoleBinding
    from accounts.services.role_bindings import role_binding_delete
    from tests.accounts.conftest import MARINA

    Operation.objects.filter(pk=sealed.pk).update(params={"level": level})
    give(people.dan, "viewer", world.payments)
    developer = RoleBinding.objects.get(user=people.dan, role="developer")
    role_binding_delete(actor=MARINA, binding=developer, now=timezone.now())
    answer = fetch(signed_in(people.dan), sealed)
    if level == "view":
        assert answer.status_code == 200
        return
    assert "project developer" in problem(answer, 403, "forbidden")["hint"]
    sealed.refresh_from_db()
    assert sealed.sealed_result is not None, "nothing was handed over"


def test_after_its_time_it_is_gone_and_erased_also_if_nobody_asked(dan, sealed):
    now = timezone.now()
    assert sealed_results_expire(now=now) == 0
    Operation.objects.filter(pk=sealed.pk).update(sealed_until=now - timedelta(seconds=1))
    problem(fetch(dan, sealed), 410, "gone")
    assert not shown(dan, sealed)
    assert sealed_results_expire(now=now) == 1
    sealed.refresh_from_db()
    assert sealed.sealed_result is None
    problem(fetch(dan, sealed), 410, "gone")


def test_an_operation_without_one_says_so(dan, people, cluster):
    operation = operation_row(cluster, OperationKind.ISSUE_KUBECONFIG, requested_by=people.dan)
    problem(fetch(dan, operation), 404, "not-found")
    assert not shown(dan, operation)


def test_it_is_in_no_list_and_no_detail(dan, sealed):
    text = base64.b64encode(b"sealed-to-a-key").decode()
    for url in ("/api/v1/operations", f"/api/v1/operations/{sealed.pk}"):
        answer = dan.get(url).content.decode()
        assert text not in answer
        assert PUBLIC_KEY not in answer


def test_a_role_by_a_team_counts_as_one_s_own(world, cluster):
    from accounts.services.teams import team_update
    from tests.accounts.conftest import MARINA

    tess = person("tess")
    team_update(actor=MARINA, team=world.dockers, members=[tess])
    give(world.dockers, "viewer", world.payments)
    assert ask(signed_in(tess), cluster).status_code == 202
