"""Asking to join a project: its names are seen, its admins decide with one step."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import access
from accounts.models import AuditEvent, JoinRequest, Notification, Project, RoleBinding
from accounts.services.projects import project_create
from tests.accounts.conftest import MARINA, give, person, signed_in
from tests.accounts.machines import machine

JOINABLE = "/api/v1/projects/joinable"


@pytest.fixture
def mia(world):
    user = person("mia")
    give(user, "member", world.acme)
    return user


@pytest.fixture
def ada(world):
    user = person("ada")
    give(user, "admin", world.payments)
    return user


def ask(user, project, **body):
    return signed_in(user).post(f"/api/v1/projects/{project.pk}/join-requests", body, format="json")


def told(user, kind: str) -> list[Notification]:
    return list(Notification.objects.filter(recipient=user, kind=kind))


def test_a_member_sees_the_names_of_projects_to_join_and_nothing_else_of_them(world, mia):
    Project.objects.create(organization=world.acme, name="private", personal_of=world.olivia)
    give(mia, "viewer", world.search)
    found = signed_in(mia).get(JOINABLE).json()["results"]
    assert found == [
        {"id": str(world.payments.pk), "name": "payments", "organization": {"id": str(world.acme.pk), "name": "acme"}}
    ]
    assert signed_in(mia).get(f"/api/v1/projects/{world.payments.pk}").status_code == 404
    assert signed_in(person("stranger")).get(JOINABLE).json()["results"] == []
    assert [each["name"] for each in signed_in(mia).get(f"{JOINABLE}?name=payments").json()["results"]] == ["payments"]
    assert signed_in(mia).get(f"{JOINABLE}?nmae=x").status_code == 400


def test_the_projects_admins_are_told_and_take_in_whoever_asks_with_one_step(world, mia, ada):
    answer = ask(mia, world.payments, message="I work on refunds.")
    assert answer.status_code == 201, answer.content
    asked = answer.json()
    assert (asked["state"], asked["user"]["handle"], asked["message"]) == ("open", "mia", "I work on refunds.")
    (notice,) = told(ada, "join-request")
    assert "mia asks to join acme/payments" in notice.text
    assert notice.command == f"marina project accept {asked['id']}"
    assert notice.link
    accepted = signed_in(ada).post(f"/api/v1/join-requests/{asked['id']}/accept", {}, format="json")
    assert accepted.status_code == 200, accepted.content
    assert (accepted.json()["state"], accepted.json()["role"]) == ("accepted", "developer")
    assert accepted.json()["decided_by"]["handle"] == "ada"
    assert access.allowed(mia, "virtualcluster.create", world.payments)
    assert "developer of acme/payments" in told(mia, "join-decided")[0].text
    actions = [row.action for row in AuditEvent.objects.filter(object_kind="join-request").order_by("created_at")]
    assert actions == ["join-request.create", "join-request.accepted"]


def test_another_role_may_be_given_and_the_request_declined(world, mia, ada):
    first = ask(mia, world.payments).json()["id"]
    client = signed_in(ada)
    assert client.post(f"/api/v1/join-requests/{first}/decline").json()["state"] == "declined"
    assert "declined" in told(mia, "join-decided")[0].text
    assert not access.allowed(mia, "project.view", world.payments)
    again = ask(mia, world.payments).json()["id"]
    assert client.post(f"/api/v1/join-requests/{again}/accept", {"role": "viewer"}, format="json").status_code == 200
    assert RoleBinding.objects.get(user=mia, project=world.payments).role == "viewer"
    assert client.post(f"/api/v1/join-requests/{again}/decline").status_code == 409


def test_one_is_open_a_person_and_project(world, mia):
    assert ask(mia, world.payments).status_code == 201
    assert ask(mia, world.payments).status_code == 409
    assert ask(mia, world.search).status_code == 201
    assert JoinRequest.objects.count() == 2


def test_who_asked_takes_it_back(world, mia, ada):
    key = ask(mia, world.payments).json()["id"]
    assert signed_in(ada).delete(f"/api/v1/join-requests/{key}").status_code == 403
    assert signed_in(mia).delete(f"/api/v1/join-requests/{key}").status_code == 204
    assert JoinRequest.objects.get().state == "withdrawn"
    assert ask(mia, world.payments).status_code == 201


def test_only_admins_of_the_project_decide(world, mia, ada):
    vera, key = person("vera"), ask(mia, world.payments).json()["id"]
    give(vera, "developer", world.payments)
    for user, status in ((mia, 403), (vera, 404), (world.greta, 404), (world.olivia, 200)):
        answer = signed_in(user).post(f"/api/v1/join-requests/{key}/accept", {}, format="json")
        assert answer.status_code == status, (user, answer.content)


def test_one_sees_ones_own_requests_and_those_one_decides(world, mia, ada):
    ask(mia, world.payments)
    ask(mia, world.search)
    for user, count in ((mia, 2), (ada, 1), (world.olivia, 2), (world.greta, 0)):
        assert len(signed_in(user).get("/api/v1/join-requests?state=open").json()["results"]) == count, user
    found = signed_in(world.olivia).get("/api/v1/join-requests?project=acme/search").json()["results"]
    assert [each["project"]["name"] for each in found] == ["search"]


def test_nobody_asks_for_what_they_are_in_or_cannot_see(world, mia, ada):
    assert ask(ada, world.payments).status_code == 409
    assert ask(mia, world.foreign).status_code == 404
    account = machine(world.search)
    give(account, "member", world.acme)
    assert ask(account.user, world.payments).status_code == 403


def test_without_an_admin_of_the_project_those_of_the_organization_are_told(world, mia):
    ask(mia, world.search)
    assert len(told(world.olivia, "join-request")) == 1


def test_the_lists_cost_the_same_with_3_and_with_40_rows(world):
    client = signed_in(world.olivia)
    client.get("/api/v1/me")
    member = signed_in(person("reader"))
    member.get("/api/v1/me")
    give(member_of(member), "member", world.acme)
    counts = []
    for start, end in ((0, 3), (3, 40)):
        for number in range(start, end):
            user = person(f"p-{number}")
            give(user, "member", world.acme)
            project = project_create(actor=MARINA, organization=world.acme, name=f"p-{number}")
            ask(user, project)
        counts.append([cost(client, "/api/v1/join-requests?page_size=200"), cost(member, f"{JOINABLE}?page_size=200")])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 5


def member_of(client):
    from accounts.models import User

    return User.objects.get(pk=client.get("/api/v1/me").json()["id"])


def cost(client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)
