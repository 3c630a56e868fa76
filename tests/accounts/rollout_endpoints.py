"""As tests/accounts/endpoint_actions.py: rollouts, and policies of upgrades."""

from typing import Any

from tests.accounts.endpoint_rules import (
    CLUSTER_SEEN,
    NEW,
    ORGANIZATION_SEEN,
    PROJECT_SEEN,
    Case,
    Rule,
    in_organization,
    in_project,
    on_cluster,
    staff,
)

ROLLS_OUT, ROLLOUT_SEEN = in_project("virtualcluster.rollout"), in_project("virtualcluster.view")
UPGRADE = {"name": NEW, "action": "upgrade", "to": {"kubernetes_version": "1.36.3"}}


def _decided(**more: Any) -> tuple[Case, ...]:
    return (
        Case(ROLLS_OUT, ROLLOUT_SEEN, "rollout", **more),
        Case(staff, staff, "platform_rollout", **more),
    )


SAYS = {"channel": "patch"}
OF: tuple[tuple[str, Rule, Rule], ...] = (
    ("organization", in_organization("organization.update"), ORGANIZATION_SEEN),
    ("project", in_project("project.update"), PROJECT_SEEN),
    ("cluster", on_cluster("virtualcluster.upgrade"), CLUSTER_SEEN),
)


def _policies(**more: Any) -> tuple[Case, ...]:
    return tuple(Case(may, sees, f"upgrade_policy_of_{of}", **more) for of, may, sees in OF)


def _new(of: str, may: Rule, sees: Rule) -> Case:
    field = "virtual_cluster" if of == "cluster" else of
    # 409: it has one already
    return Case(may, sees, body=lambda o: {field: str(getattr(o, of).pk), **SAYS}, unseen=400, further=(409,))


ROLLOUT_ENDPOINTS: dict[str, tuple[Case, ...]] = {
    "POST rollouts": (
        # 400: the clusters of the matrix have this version
        Case(
            ROLLS_OUT,
            PROJECT_SEEN,
            body=lambda o: {**UPGRADE, "project": str(o.project.pk)},
            unseen=400,
            further=(400, 409),
        ),
        Case(staff, body=lambda o: UPGRADE, further=(400, 409)),
    ),
    "GET rollouts/{pk}": (
        Case(ROLLOUT_SEEN, ROLLOUT_SEEN, "rollout"),
        Case(staff, staff, "platform_rollout"),
    ),
    "GET rollouts/{rollout}/members": (
        Case(ROLLOUT_SEEN, ROLLOUT_SEEN, at={"rollout": "rollout"}),
        Case(staff, staff, at={"rollout": "platform_rollout"}),
    ),
    "POST rollouts/{pk}/pause": _decided(),
    "POST rollouts/{pk}/resume": _decided(),
    "POST rollouts/{pk}/abort": _decided(),
    "POST rollouts/{pk}/retry": _decided(further=(409,)),
    "POST upgrade-policies": tuple(_new(*each) for each in OF),
    "GET upgrade-policies/{pk}": tuple(Case(each.sees, each.sees, each.of) for each in _policies()),
    "PATCH upgrade-policies/{pk}": _policies(body=lambda o: {"channel": "minor"}),
    "DELETE upgrade-policies/{pk}": _policies(),
}

ROLLOUT_LISTS: dict[str, tuple[tuple[str, Rule], ...]] = {
    "GET rollouts": (("rollout", ROLLOUT_SEEN), ("platform_rollout", staff)),
    "GET upgrade-policies": tuple((f"upgrade_policy_of_{of}", sees) for of, _, sees in OF),
}
