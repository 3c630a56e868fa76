"""Creating a virtual cluster costs few statements, and as many however much there is already."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Project
from tests.clusters.making import cluster_row, host_row

URL = "/api/v1/virtual-clusters"
MOST_STATEMENTS = 15
"""Of which each has its reason; docs/benchmarks.md has the target."""
MARKS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def cost(client, name: str, **body) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(URL, {"project": "acme/payments", "name": name, **body}, "json")
    assert answer.status_code == 202, answer.content
    return [query["sql"] for query in captured if query["sql"].split()[0] not in MARKS]


def test_creating_costs_the_same_few_statements_whatever_is_there_already(world, host, dan):
    dan.get("/api/v1/me")  # the token's last use is written once
    first = cost(dan, "first")
    assert len(first) <= MOST_STATEMENTS, "\n".join(first)
    for number in range(20):
        cluster_row(world, f"c-{number}")
        host_row(f"h-{number}")
    assert len(cost(dan, "second")) == len(first)


def test_a_limit_of_the_project_and_values_that_are_given_cost_one_more_each(world, host, dan):
    dan.get("/api/v1/me")
    few = cost(dan, "plain")
    Project.objects.filter(pk=world.payments.pk).update(cluster_limit=9)
    assert len(cost(dan, "limited")) == len(few) + 1
    assert len(cost(dan, "with-values", spec={"values": {"sync": {}}})) == len(few) + 2
