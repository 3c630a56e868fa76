"""Which action of the role table stands before which endpoint. An endpoint that is not here fails the matrix.

To add one: its label (as tests/routes.py writes it), what it is asked of, who may, and who sees that. A rule takes who
asks and the place of the object: in the asker's own project, in another of the same organization, or elsewhere.
"""

from typing import Any

from tests.accounts.endpoint_rules import (
    CLUSTER_SEEN,
    HOST_INSIDE,
    HOST_SEEN,
    NEW,
    OPERATION_SEEN,
    ORGANIZATION_SEEN,
    PROJECT_SEEN,
    Case,
    Rule,
    anyone,
    both,
    either,
    in_organization,
    in_project,
    no_one,
    on_cluster,
    staff,
)
from tests.accounts.further_endpoints import FURTHER_ENDPOINTS, FURTHER_LISTS
from tests.accounts.lifecycle_endpoints import LIFECYCLE_ENDPOINTS, LIFECYCLE_LISTS
from tests.accounts.rollout_endpoints import ROLLOUT_ENDPOINTS, ROLLOUT_LISTS
from tests.clusters.making import PUBLIC_KEY
from tests.clusters.rules.kubeconfigs import kubeconfig_with

PERSON_SEEN = either(staff, PROJECT_SEEN, ORGANIZATION_SEEN)


def _cluster(action: str, **more: Any) -> Case:
    return Case(on_cluster(action), CLUSTER_SEEN, "cluster", **more)


def _host(action: str, **more: Any) -> Case:
    return Case(either(staff, in_organization(action)), HOST_SEEN, "host", **more)


def _operations(action: str) -> tuple[Case, ...]:
    return (
        Case(on_cluster(action), OPERATION_SEEN, "operation", further=(409,)),
        Case(HOST_INSIDE, HOST_INSIDE, "host_operation", further=(409,)),
    )


def _bindings(**more: Any) -> tuple[Case, ...]:
    return (
        Case(in_project("project.members"), PROJECT_SEEN, "binding_in_project", **more),
        Case(in_organization("organization.members"), ORGANIZATION_SEEN, "binding_in_organization", **more),
        Case(on_cluster("virtualcluster.share"), CLUSTER_SEEN, "share", **more),
        # that somebody broke the glass is ended elsewhere, and not changed
        Case(on_cluster("virtualcluster.share"), CLUSTER_SEEN, "grant", **(more | {"further": (409,)})),
    )


def _team(**more: Any) -> Case:
    return Case(in_organization("team.manage"), ORGANIZATION_SEEN, "team", **more)


ENDPOINTS: dict[str, tuple[Case, ...]] = {
    "GET me": (Case(anyone),),
    "GET options": (Case(anyone),),
    # your own tokens, whoever you are, and nobody else's
    "POST access-tokens": (Case(anyone, body=lambda o: {"name": NEW}),),
    "GET access-tokens/{pk}": (Case(anyone, of="own_token"), Case(no_one, no_one, "token")),
    "DELETE access-tokens/{pk}": (Case(anyone, of="own_token"), Case(no_one, no_one, "token")),
    "POST organizations": (Case(staff, body=lambda o: {"name": NEW}),),
    "GET organizations/{pk}": (Case(ORGANIZATION_SEEN, ORGANIZATION_SEEN, "organization"),),
    "PATCH organizations/{pk}": (
        Case(
            in_organization("organization.update"), ORGANIZATION_SEEN, "organization", lambda o: {"display_name": NEW}
        ),
    ),
    "DELETE organizations/{pk}": (
        Case(in_organization("organization.delete"), ORGANIZATION_SEEN, "organization", further=(409,)),
    ),
    "POST projects": (
        Case(
            in_organization("project.create"),
            ORGANIZATION_SEEN,
            body=lambda o: {"organization": str(o.organization.pk), "name": NEW},
            unseen=400,
        ),
    ),
    "GET projects/{pk}": (Case(PROJECT_SEEN, PROJECT_SEEN, "project"),),
    "PATCH projects/{pk}": (
        Case(in_project("project.update"), PROJECT_SEEN, "project", lambda o: {"display_name": NEW}),
    ),
    "DELETE projects/{pk}": (Case(in_project("project.delete"), PROJECT_SEEN, "project", further=(409,)),),
    "POST teams": (
        Case(
            in_organization("team.manage"),
            ORGANIZATION_SEEN,
            body=lambda o: {"organization": str(o.organization.pk), "name": NEW},
            unseen=400,
        ),
    ),
    "GET teams/{pk}": (Case(ORGANIZATION_SEEN, ORGANIZATION_SEEN, "team"),),
    "PATCH teams/{pk}": (_team(body=lambda o: {"name": NEW}),),
    "DELETE teams/{pk}": (_team(),),
    "POST role-bindings": (
        Case(
            in_project("project.members"),
            PROJECT_SEEN,
            body=lambda o: {"project": str(o.project.pk), "user": o.person.handle, "role": "developer"},
            unseen=400,
        ),
        Case(
            in_organization("organization.members"),
            ORGANIZATION_SEEN,
            body=lambda o: {"organization": str(o.organization.pk), "user": o.person.handle, "role": "auditor"},
            unseen=400,
        ),
    ),
    "GET role-bindings/{pk}": (
        Case(PROJECT_SEEN, PROJECT_SEEN, "binding_in_project"),
        Case(ORGANIZATION_SEEN, ORGANIZATION_SEEN, "binding_in_organization"),
        Case(CLUSTER_SEEN, CLUSTER_SEEN, "share"),
        Case(CLUSTER_SEEN, CLUSTER_SEEN, "grant"),
    ),
    "PATCH role-bindings/{pk}": _bindings(body=lambda o: {"expires_at": "2031-01-01T00:00:00Z"}),
    "DELETE role-bindings/{pk}": _bindings(),
    "GET users/{pk}": (Case(PERSON_SEEN, PERSON_SEEN, "person"),),
    "POST users": (Case(staff, body=lambda o: {"handle": NEW}),),
    "PATCH users/{pk}": (
        Case(staff, PERSON_SEEN, "person", body=lambda o: {"name": NEW}),
        Case(staff, PERSON_SEEN, "person", body=lambda o: {"is_active": False}),
    ),
    # a token alone proves nobody, and who asks in the matrix has neither a password nor a second factor
    "POST users/{pk}/password": (
        Case(no_one, PERSON_SEEN, "person", body=lambda o: {"new_password": "a-Battery-of-77-horses"}),
    ),
    "POST virtual-clusters": (
        Case(
            in_project("virtualcluster.create"),
            PROJECT_SEEN,
            body=lambda o: {"project": str(o.project.pk), "name": "new-one"},
            unseen=400,
        ),
    ),
    "GET virtual-clusters/{pk}": (Case(CLUSTER_SEEN, CLUSTER_SEEN, "cluster"),),
    "PATCH virtual-clusters/{pk}": (
        _cluster("virtualcluster.update", body=lambda o: {"labels": {"a": "b"}}),
        _cluster("virtualcluster.update", body=lambda o: {"spec": {"size": "large"}}),
        _cluster("virtualcluster.ceiling", body=lambda o: {"kubeconfig_ceiling": "view"}),
    ),
    "DELETE virtual-clusters/{pk}": (_cluster("virtualcluster.delete"),),
    "POST virtual-clusters/{pk}/configure": (_cluster("virtualcluster.update"),),
    # 400: there is no other host in the matrix
    "POST virtual-clusters/{pk}/migrate": (
        Case(
            either(staff, on_cluster("virtualcluster.migrate")), either(staff, CLUSTER_SEEN), "cluster", further=(400,)
        ),
    ),
    "POST virtual-clusters/{pk}/migrate-preflight": (
        Case(either(staff, on_cluster("virtualcluster.migrate")), either(staff, CLUSTER_SEEN), "cluster"),
    ),
    # 409: nothing of those of the matrix is kept elsewhere
    "POST virtual-clusters/{pk}/forget-retained": (
        Case(
            either(staff, on_cluster("virtualcluster.migrate")), either(staff, CLUSTER_SEEN), "cluster", further=(409,)
        ),
    ),
    "POST virtual-clusters/{pk}/sleep": (_cluster("virtualcluster.sleep"),),
    "POST virtual-clusters/{pk}/wake": (_cluster("virtualcluster.wake"),),
    # 400: those of the matrix have the newest versions
    "POST virtual-clusters/{pk}/upgrade": (_cluster("virtualcluster.upgrade", further=(400, 409)),),
    "POST virtual-clusters/{pk}/upgrade-preflight": (_cluster("virtualcluster.upgrade", further=(400, 409)),),
    "POST virtual-clusters/{pk}/kubeconfigs": tuple(
        _cluster(
            f"virtualcluster.kubeconfig.{level}", body=lambda o, level=level: {"public_key": PUBLIC_KEY, "level": level}
        )
        for level in ("view", "admin")
    ),
    "GET operations/{pk}": (
        Case(OPERATION_SEEN, OPERATION_SEEN, "operation"),
        Case(HOST_INSIDE, HOST_INSIDE, "host_operation"),
    ),
    "POST operations/{pk}/retry": _operations("operation.retry"),
    "POST operations/{pk}/abort": _operations("operation.abort"),
    # for who asked for it only, and these operations hold none
    "GET operations/{pk}/sealed-result": (Case(no_one, no_one, "operation"), Case(no_one, no_one, "host_operation")),
    "POST host-clusters": (
        Case(
            either(staff, in_organization("host.connect")),
            either(staff, ORGANIZATION_SEEN),
            body=lambda o: {
                "name": "new-host",
                "scope": "organization",
                "organization": str(o.organization.pk),
                "kubeconfig": kubeconfig_with(),
            },
            unseen=400,
        ),
        Case(staff, body=lambda o: {"name": "new-host", "kubeconfig": kubeconfig_with()}),
    ),
    "GET host-clusters/manifest": (Case(anyone),),
    "GET host-clusters/{pk}": (Case(HOST_SEEN, HOST_SEEN, "host"), Case(anyone, of="platform_host")),
    "PATCH host-clusters/{pk}": (
        _host("host.update", body=lambda o: {"region": "x"}),
        Case(staff, of="platform_host", body=lambda o: {"region": "x"}),
    ),
    "DELETE host-clusters/{pk}": (
        _host("host.disconnect", further=(409,)),
        Case(staff, of="platform_host", further=(409,)),
    ),
    "POST host-clusters/{pk}/lost": (
        _host("host.update", body=lambda o: {"force": True, "reason": "Its disks fail."}),
        Case(staff, of="platform_host", body=lambda o: {"force": True, "reason": "Its disks fail."}),
    ),
    "POST host-clusters/{pk}/found": (
        _host("host.update", further=(409,)),
        Case(staff, of="platform_host", further=(409,)),
    ),
    "POST host-clusters/{pk}/evacuate": (
        _host("host.update", further=(409,)),
        Case(staff, of="platform_host", further=(409,)),
    ),
    "POST host-clusters/{pk}/forget-retained": (_host("host.update"), Case(staff, of="platform_host")),
    "PUT host-clusters/{pk}/credential": (
        _host("host.connect", body=lambda o: {"kubeconfig": kubeconfig_with()}, further=(409,)),
        Case(staff, of="platform_host", body=lambda o: {"kubeconfig": kubeconfig_with()}, further=(409,)),
    ),
    "GET discovered-clusters/{pk}": (Case(HOST_INSIDE, HOST_INSIDE, "discovered"),),
    "POST discovered-clusters/{pk}/adopt": (
        Case(
            either(staff, both(HOST_INSIDE, in_project("virtualcluster.create"))),
            HOST_INSIDE,
            "discovered",
            lambda o: {"project": str(o.project.pk), "owner": o.person.handle},
        ),
    ),
    "POST discovered-clusters/{pk}/ignore": (Case(HOST_INSIDE, HOST_INSIDE, "discovered"),),
    "POST discovered-clusters/{pk}/unignore": (Case(HOST_INSIDE, HOST_INSIDE, "discovered"),),
    **FURTHER_ENDPOINTS,
    **LIFECYCLE_ENDPOINTS,
    **ROLLOUT_ENDPOINTS,
}

LISTS: dict[str, tuple[tuple[str, Rule], ...]] = {
    "GET access-tokens": (("own_token", anyone), ("token", no_one)),
    "GET organizations": (("organization", ORGANIZATION_SEEN),),
    "GET projects": (("project", PROJECT_SEEN),),
    "GET teams": (("team", ORGANIZATION_SEEN),),
    "GET role-bindings": (
        ("binding_in_project", PROJECT_SEEN),
        ("binding_in_organization", ORGANIZATION_SEEN),
        ("share", CLUSTER_SEEN),
        ("grant", CLUSTER_SEEN),
    ),
    "GET users": (("person", PERSON_SEEN),),
    "GET virtual-clusters": (("cluster", CLUSTER_SEEN),),
    "GET operations": (("operation", OPERATION_SEEN), ("host_operation", HOST_INSIDE)),
    "GET host-clusters": (("host", HOST_SEEN), ("platform_host", anyone)),
    "GET discovered-clusters": (("discovered", HOST_INSIDE),),
    **FURTHER_LISTS,
    **LIFECYCLE_LISTS,
    **ROLLOUT_LISTS,
}
"""Lists, and who finds which object in them."""

PUBLIC = ("GET ", "GET docs", "GET openapi.json")
"""What answers the same to everybody, signed in or not."""

TOKENLESS = ("POST device-logins", "POST device-logins/token", "POST federated-tokens")
"""By which programs get a token: who asks is told by the body, whatever token is sent along."""
