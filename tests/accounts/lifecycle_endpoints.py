"""As tests/accounts/endpoint_actions.py: schedules, policies and the cleanup."""

from typing import Any

from tests.accounts.endpoint_rules import (
    CLUSTER_SEEN,
    ORGANIZATION_SEEN,
    PROJECT_SEEN,
    Case,
    Rule,
    anyone,
    in_organization,
    in_project,
    on_cluster,
    staff,
)

LIFECYCLE = on_cluster("virtualcluster.lifecycle")
PROJECT, ORGANIZATION = in_project("project.update"), in_organization("organization.update")


def _of_cluster(rule: Rule, **more: Any) -> Case:
    return Case(rule, CLUSTER_SEEN, at={"cluster": "cluster"}, **more)


def _schedules(**more: Any) -> tuple[Case, ...]:
    return (
        Case(PROJECT, PROJECT_SEEN, "schedule_of_project", **more),
        Case(LIFECYCLE, CLUSTER_SEEN, "schedule", **more),
    )


def _policies(**more: Any) -> tuple[Case, ...]:
    return (
        Case(ORGANIZATION, ORGANIZATION_SEEN, "policy_of_organization", **more),
        Case(PROJECT, PROJECT_SEEN, "policy_of_project", **more),
        Case(LIFECYCLE, CLUSTER_SEEN, "policy", **more),
    )


def _seen(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    return tuple(Case(case.sees, case.sees, case.of) for case in cases)


def _new(kind: str, rule: Rule, sees: Rule, body: dict[str, Any]) -> Case:
    # 409: it has one already
    return Case(
        rule, sees, body=lambda o: {kind: str(getattr(o, kind.split("_")[-1]).pk), **body}, unseen=400, further=(409,)
    )


TIMES, SAYS = {"sleep_cron": "0 20 * * *"}, {"sleep_after": 86400}
LIFECYCLE_ENDPOINTS: dict[str, tuple[Case, ...]] = {
    "POST sleep-schedules": (
        _new("project", PROJECT, PROJECT_SEEN, TIMES),
        _new("virtual_cluster", LIFECYCLE, CLUSTER_SEEN, TIMES),
    ),
    "GET sleep-schedules/{pk}": _seen(_schedules()),
    "PATCH sleep-schedules/{pk}": _schedules(body=lambda o: {"sleep_cron": "0 21 * * *"}),
    "DELETE sleep-schedules/{pk}": _schedules(),
    "POST lifecycle-policies": (
        _new("organization", ORGANIZATION, ORGANIZATION_SEEN, SAYS),
        _new("project", PROJECT, PROJECT_SEEN, SAYS),
        _new("virtual_cluster", LIFECYCLE, CLUSTER_SEEN, SAYS),
    ),
    "GET lifecycle-policies/{pk}": _seen(_policies()),
    "PATCH lifecycle-policies/{pk}": _policies(body=lambda o: {"sleep_after": 2 * 86400}),
    "DELETE lifecycle-policies/{pk}": _policies(),
    "POST virtual-clusters/{cluster}/sleep-skip": (_of_cluster(LIFECYCLE, further=(409,)),),
    "POST virtual-clusters/{cluster}/sleep-postponement": (
        _of_cluster(LIFECYCLE, body=lambda o: {"by": 3600}, further=(409,)),
    ),
    "POST projects/{project}/sleep-skip": (
        Case(in_project("virtualcluster.lifecycle"), PROJECT_SEEN, at={"project": "project"}, further=(409,)),
    ),
    "POST projects/{project}/sleep-postponement": (
        Case(
            in_project("virtualcluster.lifecycle"),
            PROJECT_SEEN,
            at={"project": "project"},
            body=lambda o: {"by": 3600},
            further=(409,),
        ),
    ),
    "GET virtual-clusters/{cluster}/cleanup": (_of_cluster(CLUSTER_SEEN),),
    "POST virtual-clusters/{cluster}/extension": (_of_cluster(LIFECYCLE, body=lambda o: {"by": 86400}),),
    "POST virtual-clusters/{cluster}/cleanup-consent": (
        _of_cluster(on_cluster("virtualcluster.delete"), further=(409,)),
    ),
    "GET cleanup/preview": (Case(anyone),),
    "GET cleanup/runs/{pk}": (Case(staff, staff, "cleanup_run"),),
    "GET cleanup/switch": (Case(anyone),),
    "PUT cleanup/switch": (Case(staff, body=lambda o: {"stopped": True, "reason": "the matrix looks"}),),
}

LIFECYCLE_LISTS: dict[str, tuple[tuple[str, Rule], ...]] = {
    "GET sleep-schedules": (("schedule", CLUSTER_SEEN), ("schedule_of_project", PROJECT_SEEN)),
    "GET lifecycle-policies": (
        ("policy", CLUSTER_SEEN),
        ("policy_of_project", PROJECT_SEEN),
        ("policy_of_organization", ORGANIZATION_SEEN),
    ),
    "GET cleanup/runs": (("cleanup_run", staff),),
    "GET cleanup/items": (("cleanup_item", CLUSTER_SEEN),),
}
