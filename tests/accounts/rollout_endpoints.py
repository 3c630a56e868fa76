"""As tests/accounts/endpoint_actions.py: rollouts."""

from typing import Any

from tests.accounts.endpoint_rules import NEW, PROJECT_SEEN, Case, Rule, in_project, staff

ROLLS_OUT, ROLLOUT_SEEN = in_project("virtualcluster.rollout"), in_project("virtualcluster.view")
UPGRADE = {"name": NEW, "action": "upgrade", "to": {"kubernetes_version": "1.36.3"}}


def _decided(**more: Any) -> tuple[Case, ...]:
    return (
        Case(ROLLS_OUT, ROLLOUT_SEEN, "rollout", **more),
        Case(staff, staff, "platform_rollout", **more),
    )


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
}

ROLLOUT_LISTS: dict[str, tuple[tuple[str, Rule], ...]] = {
    "GET rollouts": (("rollout", ROLLOUT_SEEN), ("platform_rollout", staff)),
}
