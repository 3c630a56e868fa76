"""Lists: what is visible, in a fixed number of queries, filtered, ordered and paged without holes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Project
from accounts.services.projects import project_create
from accounts.services.teams import team_create
from accounts.services.tokens import token_create
from tests.accounts.conftest import MARINA, give, person, signed_in

LISTS = ("organizations", "projects", "teams", "role-bindings", "users", "access-tokens")


def _grow(world, count: int, start: int) -> None:
    for number in range(start, start + count):
        user = person(f"grown-{number}")
        project = project_create(actor=MARINA, organization=world.acme, name=f"grown-{number}")
        team = team_create(actor=MARINA, organization=world.acme, name=f"grown-{number}", members=[user])
        give(user, "viewer", project)
        give(team, "developer", project)
        token_create(actor=MARINA, user=world.olivia, name=f"t-{number}", expires_in=None, now=timezone.now())


def _queries(client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return len(captured)


def test_lists_cost_the_same_number_of_queries_with_5_and_200_rows(world):
    client = signed_in(world.olivia)
    paths = [f"/api/v1/{noun}?page_size=200" for noun in LISTS if noun != "organizations"] + ["/api/v1/me"]
    _grow(world, 5, 0)
    client.get("/api/v1/me")  # the token's last use is written once a minute
    few = {path: _queries(client, path) for path in paths}
    _grow(world, 195, 5)
    client.get("/api/v1/me")
    many = {path: _queries(client, path) for path in paths}
    assert few == many
    assert max(many.values()) <= 6, many
    assert len(client.get(paths[0]).json()["results"]) == 200


def test_organizations_cost_the_same_number_of_queries_too(world):
    from accounts.services.organizations import organization_create

    user = person("traveller")
    client = signed_in(user)
    client.get("/api/v1/me")
    counts = []
    for start, count in ((0, 3), (3, 30)):
        for number in range(start, start + count):
            organization_create(actor=MARINA, name=f"org-{number}", admin=user, now=timezone.now())
        counts.append([_queries(client, f"/api/v1/{noun}") for noun in (*LISTS, "me")])
    assert counts[0] == counts[1]


@pytest.fixture
def client(world):
    return signed_in(world.olivia)


def _names(answer) -> list[str]:
    return [each["name"] for each in answer.json()["results"]]


def test_pages_follow_one_another_without_hole_or_repetition(world, client):
    for number in range(23):
        project_create(actor=MARINA, organization=world.acme, name=f"p-{number:02}")
    expected = sorted(Project.objects.filter(organization=world.acme).values_list("name", flat=True))
    for ordering, wanted in (("name", expected), ("-name", expected[::-1])):
        url, seen = f"/api/v1/projects?ordering={ordering}&page_size=7", []
        while url:
            answer = client.get(url)
            seen += _names(answer)
            url = answer.json()["next"]
        assert seen == wanted
    assert _names(client.get("/api/v1/projects?page_size=1")) == ["p-22"], "newest first"


def test_filters_and_search(world, client):
    assert _names(client.get("/api/v1/projects?name=search")) == ["search"]
    assert _names(client.get("/api/v1/projects?organization=globex")) == []
    assert len(_names(client.get(f"/api/v1/projects?organization={world.acme.pk}"))) == 2
    assert _names(client.get("/api/v1/projects?search=pay")) == ["payments"]
    user = person("vera")
    give(user, "viewer", world.payments)
    for query in (
        "project=acme/payments",
        "user=vera",
        f"user={user.pk}",
        "role=viewer",
        f"project={world.payments.pk}",
    ):
        found = client.get(f"/api/v1/role-bindings?{query}").json()["results"]
        assert [each["user"]["handle"] for each in found] == ["vera"], query
    assert client.get("/api/v1/role-bindings?project=globex/payments").json()["results"] == []


@pytest.mark.parametrize(
    ("query", "field", "accepted"),
    [
        ("organisation=acme", "organisation", "did you mean `organization`?"),
        ("ordering=nmae", "ordering", "did you mean `name`?"),
        ("page_size=0", "page_size", "a number from 1 to 200"),
        ("page_size=201", "page_size", "a number from 1 to 200"),
        ("page_size=x", "page_size", "a number from 1 to 200"),
        ("cursor=x", "cursor", "what `next` or `previous` of a page said"),
        ("cursor=cD1ub3QtYW4taWQ=", "cursor", "what `next` or `previous` of a page said"),
        ("search=%00", "search", ""),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_name(client, query, field, accepted):
    answer = client.get(f"/api/v1/projects?{query}")
    assert answer.status_code == 400, answer.content
    error = answer.json()["errors"][0]
    assert (error["field"], error["accepted"]) == (field, accepted)


@pytest.mark.parametrize("path", ["projects", "audit-events", "audit-events/export"])
def test_format_is_as_unknown_a_parameter_as_any_other(world, path):
    """REST framework would answer as if what is there were not."""
    for value in ("json", "xml"):
        answer = signed_in(world.olivia).get(f"/api/v1/{path}?format={value}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "format")
