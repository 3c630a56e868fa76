"""100,000 virtual clusters, each placed and with its operation, in 2,000 projects of 20 organizations."""

from dataclasses import dataclass

from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone

from accounts.models import Organization, Project, ProjectUserPermission, User
from accounts.services.role_bindings import role_binding_create
from clusters.models import VirtualCluster, VirtualClusterPhase
from tests.accounts.conftest import MARINA, person
from tests.clusters.making import host_row

ORGANIZATIONS = 20
PEOPLE = 500
BATCH = 5000

_PLACEMENTS = """
INSERT INTO clusters_placement (id, created_at, virtual_cluster_id, host_id, role, namespace, namespace_created,
    namespace_labels, release, endpoint, kubernetes_version, chart_version, chart_digest, revision, values_digest,
    syncs_priority_classes, not_synced, why)
SELECT gen_random_uuid(), now(), id, %s, 'active', 'marina-' || id, true, '{}', name, 'https://x.example',
    '1.36.3', '0.36.1', '', 1, '', false, '[]', '' FROM clusters_virtualcluster
"""
_OPERATIONS = """
INSERT INTO clusters_operation (id, created_at, kind, state, organization_id, project_id, virtual_cluster_id,
    requested_by_id, lock_key, params, steps, step, message, attempt, error_code, error_message, error_hint,
    left_behind, difference, abort_requested, lease_owner, lease_token)
SELECT gen_random_uuid(), now(), 'provision', 'Succeeded', p.organization_id, p.id, c.id, c.creator_id,
    'virtual-cluster:' || c.id, '{}',
    '[{"key": "a", "name": "Choose a host", "state": "done"}, {"key": "b", "name": "Install", "state": "done"}]',
    2, '', 0, '', '', '', '[]', '[]', false, '', 1
FROM clusters_virtualcluster c JOIN accounts_project p ON p.id = c.project_id
"""


@dataclass(frozen=True)
class Rows:
    """Who asks: somebody with a role in some projects, and platform staff who may look into all of them."""

    user: User
    staff: User
    project: Project


def rows_make(*, projects: int, clusters: int, of_a_user: int) -> Rows:
    """Written in bulk, and looked over by the planner as autovacuum would."""
    organizations = Organization.objects.bulk_create(Organization(name=f"org-{n}") for n in range(ORGANIZATIONS))
    made = Project.objects.bulk_create(
        Project(organization=organizations[n % ORGANIZATIONS], name=f"project-{n}") for n in range(projects)
    )
    people = User.objects.bulk_create(User(handle=f"user-{n}", password="!") for n in range(PEOPLE))
    host = host_row()
    for start in range(0, clusters, BATCH):
        VirtualCluster.objects.bulk_create(_cluster(n, made, people) for n in range(start, start + BATCH))
    with connection.cursor() as cursor:
        cursor.execute(_PLACEMENTS, [host.pk])
        cursor.execute(_OPERATIONS)
    rows = _people(organizations, made[:: projects // of_a_user])
    _others(people, made)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return rows


def _cluster(number: int, projects: list[Project], people: list[User]) -> VirtualCluster:
    owner = people[number % PEOPLE]
    return VirtualCluster(
        project=projects[number % len(projects)],
        name=f"c-{number}",
        owner_user=owner,
        creator=owner,
        kubernetes_version="1.36.3",
        chart_version="0.36.1",
        size="small",
        phase=VirtualClusterPhase.READY,
        generation=1,
        observed_generation=1,
        conditions=[{"type": "Ready", "status": "True", "reason": "Answers", "message": "It answers.",
                     "last_transition_time": "2026-11-26T00:00:00Z"}],
    )  # fmt: skip


def _people(organizations: list[Organization], own: list[Project]) -> Rows:
    now = timezone.now()
    user, staff = person("ordinary"), person("staff", is_staff=True)
    for project in own:
        role_binding_create(actor=MARINA, subject=user, role="developer", scope=project, now=now)
    for organization in organizations:
        role_binding_create(actor=MARINA, subject=staff, role="auditor", scope=organization, now=now)
    return Rows(user, staff, own[0])


def _others(people: list[User], projects: list[Project]) -> None:
    """Permission rows of everybody else, among which those of who asks have to be found."""
    view = Permission.objects.filter(content_type__model="project", codename__endswith=".view")
    ProjectUserPermission.objects.bulk_create(
        ProjectUserPermission(user=people[n % PEOPLE], content_object=project, permission=permission)
        for n, project in enumerate(projects)
        for permission in view
    )
