"""`make bench-api`: the API with 100,000 virtual clusters in 2,000 projects, against bare SQL and an empty view."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.bench.figures import Figure, tell, write
from tests.bench.setup import bench

PROJECTS, CLUSTERS = 2000, 100_000
OF_A_USER = 40
"""Projects in which the ordinary user has a role."""
ROUNDS = 100
PAGE, EMPTY, PAGE_SIZE = "/api/v1/virtual-clusters", "/api/v1/nothing", 50
MOST_RATIO = 2.0
MOST_STATEMENTS = 15

# What somebody would write by hand: the same rows and columns that the page shows, and one more, as a page needs it.
ROWS = """
SELECT c.id, c.name, c.labels, c.deletion_protection, c.generation, c.observed_generation, c.phase, c.conditions,
    c.created_at, c.deleted_at, c.kubernetes_version, c.chart_version, c.size, c.exposure, c.values, c.replicas,
    p.id, p.name, o.id, o.name, u.id, u.handle, t.id, t.name, m.id, m.handle
FROM clusters_virtualcluster c
JOIN accounts_project p ON p.id = c.project_id
JOIN accounts_organization o ON o.id = p.organization_id
LEFT JOIN accounts_user u ON u.id = c.owner_user_id
LEFT JOIN accounts_team t ON t.id = c.owner_team_id
JOIN accounts_user m ON m.id = c.creator_id
WHERE c.phase <> 'Deleted' AND (
    c.project_id IN (
        SELECT g.content_object_id FROM accounts_projectuserpermission g
        JOIN auth_permission a ON a.id = g.permission_id
        WHERE g.user_id = %(user)s AND a.codename = 'virtualcluster.view')
    OR p.organization_id IN (
        SELECT g.content_object_id FROM accounts_organizationuserpermission g
        JOIN auth_permission a ON a.id = g.permission_id
        WHERE g.user_id = %(user)s AND a.codename = 'virtualcluster.view'))
ORDER BY c.id DESC LIMIT %(limit)s
"""
PLACEMENTS = """
SELECT n.virtual_cluster_id, n.id, h.id, h.name, n.namespace, n.release, n.role, n.endpoint, n.kubernetes_version,
    n.chart_version, n.adopted, n.not_synced
FROM clusters_placement n JOIN clusters_hostcluster h ON h.id = n.host_id
WHERE n.role = 'active' AND n.virtual_cluster_id = ANY(%(clusters)s)
"""
OPERATIONS = """
SELECT DISTINCT ON (w.virtual_cluster_id) w.virtual_cluster_id, w.id, w.kind, w.state, w.steps, w.message,
    w.error_code, w.error_message, w.error_hint, w.attempt, w.run_after, w.created_at, w.started_at, w.finished_at,
    w.sealed_until, w.left_behind, h.id, h.name, u.id, u.handle
FROM clusters_operation w
LEFT JOIN clusters_hostcluster h ON h.id = w.host_id
LEFT JOIN accounts_user u ON u.id = w.requested_by_id
WHERE w.lock_key IS NOT NULL AND w.virtual_cluster_id = ANY(%(clusters)s)
ORDER BY w.virtual_cluster_id, w.id DESC
"""


def main() -> int:
    """Exit code 0 when each figure meets its target."""
    from django.test.utils import override_settings

    with (
        bench(API_RATE="100000000/min", API_WRITE_RATE="100000000/min"),
        override_settings(ROOT_URLCONF="tests.bench.api_urls", ALLOWED_HOSTS=["*"]),
    ):
        found = list(_figures())
    write("api", found)
    return 0 if all(figure.ok for figure in found) else 1


def _figures() -> Iterator[Figure]:
    from tests.bench.api_rows import rows_make

    rows = rows_make(projects=PROJECTS, clusters=CLUSTERS, of_a_user=OF_A_USER)
    yield _page("api_first_page_ratio_user", rows.user)
    yield _page("api_first_page_ratio_staff", rows.staff)
    yield _creating(rows)


def _page(name: str, user: Any) -> Figure:
    from tests.accounts.conftest import signed_in

    client = signed_in(user)

    def get(path: str, rows: int) -> None:
        answer = client.get(path)
        assert len(answer.data["results"]) == rows, answer.content[:300]

    took = _in_turns(
        {
            "page": lambda: get(PAGE, PAGE_SIZE),
            "SQL": lambda: _bare(user.pk),
            "empty view": lambda: get(EMPTY, 0),
        }
    )
    ratio = took["page"] / (took["SQL"] + took["empty view"])
    said = ", ".join(f"{what} {seconds * 1000:.1f} ms" for what, seconds in took.items())
    return tell(Figure(name, ratio, MOST_RATIO, at_most=True, said=f"{said}; medians of {ROUNDS}"))


def _bare(user: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(ROWS, {"user": user, "limit": PAGE_SIZE + 1})
        clusters = [row[0] for row in cursor.fetchall()[:PAGE_SIZE]]
        for statement in (PLACEMENTS, OPERATIONS):
            cursor.execute(statement, {"clusters": clusters})
            assert len(cursor.fetchall()) == PAGE_SIZE


def _in_turns(ways: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """Medians in seconds. One after the other in each round, so that what disturbs the machine disturbs all alike."""
    took: dict[str, list[float]] = {what: [] for what in ways}
    for number in range(ROUNDS + 10):
        for what, way in ways.items():
            begun = time.perf_counter()
            way()
            if number >= 10:  # the first ones warm up
                took[what].append(time.perf_counter() - begun)
    return {what: statistics.median(seconds) for what, seconds in took.items()}


def _creating(rows: Any) -> Figure:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.accounts.conftest import signed_in

    client = signed_in(rows.user)
    client.get(EMPTY)  # the token's last use is written once
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(PAGE, {"project": str(rows.project.pk), "name": "new-one"}, format="json")
    assert answer.status_code == 202, answer.content
    statements = [query["sql"] for query in captured]
    marks = [sql for sql in statements if sql.split()[0] in ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")]
    for sql in statements:
        if sql not in marks:
            print(f"    {sql[:150]}")
    count = len(statements) - len(marks)
    said = f"and {len(marks)} that mark transactions"
    return tell(Figure("api_create_statements", count, MOST_STATEMENTS, at_most=True, said=said))


if __name__ == "__main__":
    sys.exit(main())
