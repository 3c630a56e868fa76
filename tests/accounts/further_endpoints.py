"""As tests/accounts/endpoint_actions.py: programs and their tokens, joining, being told, and sharing of one cluster."""

from typing import Any

from tests.accounts.endpoint_rules import (
    CLUSTER_SEEN,
    NEW,
    ORGANIZATION_SEEN,
    PROJECT_SEEN,
    Case,
    Rule,
    anyone,
    both,
    either,
    in_organization,
    in_project,
    joins,
    no_one,
    on_cluster,
    somewhere,
    staff,
    works_there,
)

MACHINES_MANAGED = in_project("serviceaccount.manage")
AUDITED = in_organization("organization.audit")
ORGANIZATION_MEMBERS, PROJECT_MEMBERS = in_organization("organization.members"), in_project("project.members")
OFFER_SEEN, OFFER_TO_PROJECT_SEEN = either(staff, in_organization("host.view")), either(staff, PROJECT_SEEN)
HOOKED, HOOKED_PROJECT = in_organization("organization.update"), in_project("project.update")
# whoever works in a project of the organization reads what its roles mean
ROLES_SEEN = either(ORGANIZATION_SEEN, works_there)
REQUESTS_READ = either(AUDITED, in_project("project.update"))
ENDS_BROKEN_GLASS = either(staff, PROJECT_MEMBERS)
RULE = {"issuer": "https://ci.example.com", "audience": "marina", "claims": {"repository": "a/b"}}
HOOK = {"url": "https://hooks.example.com/new", "events": ["*"]}


def _machine(of: str, **more: Any) -> Case:
    return Case(MACHINES_MANAGED, PROJECT_SEEN, of, **more)


def _unseen_or_allowed(rule: Rule, of: str, **more: Any) -> Case:
    """What is seen by those only who may do everything to it."""
    return Case(rule, rule, of, **more)


def _invitations(**more: Any) -> tuple[Case, ...]:
    return (
        _unseen_or_allowed(PROJECT_MEMBERS, "invitation", **more),
        _unseen_or_allowed(ORGANIZATION_MEMBERS, "invitation_to_organization", **more),
    )


def _webhooks(**more: Any) -> tuple[Case, ...]:
    return (
        _unseen_or_allowed(HOOKED, "webhook", **more),
        _unseen_or_allowed(HOOKED_PROJECT, "webhook_of_project", **more),
    )


def _own(of: str, **more: Any) -> tuple[Case, ...]:
    return (Case(anyone, of=f"own_{of}", **more), Case(no_one, no_one, of, **more))


def _on_cluster(rule: Rule, *, sees: Rule = CLUSTER_SEEN, **more: Any) -> Case:
    at = {"cluster": "cluster", **more.pop("at", {})}
    return Case(rule, sees, at=at, **more)


def _role(rule: Rule, *, role: str = "", **more: Any) -> Case:
    at = {"organization": "organization", **({"role": role} if role else {})}
    return Case(rule, ROLES_SEEN, at=at, **more)


def _levels(**more: Any) -> tuple[Case, ...]:
    # 409: in these tests there is no gateway
    return tuple(
        _on_cluster(
            on_cluster(f"virtualcluster.kubeconfig.{level}"), body=lambda o, level=level: {"level": level}, **more
        )
        for level in ("view", "admin")
    )


GATEWAY_TOKEN = {"token": "gateway_token"}
GATEWAY_TOKENS_SEEN = PROJECT_MEMBERS
GATEWAY_ENDPOINTS: dict[str, tuple[Case, ...]] = {
    "GET virtual-clusters/{cluster}/kubeconfig": (
        _on_cluster(on_cluster("virtualcluster.kubeconfig.view"), further=(409,)),
    ),
    "POST virtual-clusters/{cluster}/gateway-credentials": _levels(further=(409,)),
    "GET virtual-clusters/{cluster}/gateway-tokens": (_on_cluster(CLUSTER_SEEN),),
    "POST virtual-clusters/{cluster}/gateway-tokens": _levels(further=(409,)),
    # somebody's: an admin sees it and may end it, and nobody else has to do with it
    "GET virtual-clusters/{cluster}/gateway-tokens/{token}": (
        _on_cluster(GATEWAY_TOKENS_SEEN, sees=GATEWAY_TOKENS_SEEN, at=GATEWAY_TOKEN),
    ),
    "DELETE virtual-clusters/{cluster}/gateway-tokens/{token}": (
        _on_cluster(GATEWAY_TOKENS_SEEN, sees=GATEWAY_TOKENS_SEEN, at=GATEWAY_TOKEN),
    ),
    "POST virtual-clusters/{cluster}/gateway-tokens/{token}/rotate": (
        _on_cluster(no_one, sees=GATEWAY_TOKENS_SEEN, at=GATEWAY_TOKEN, body=lambda o: {}),
    ),
    "POST gateway-tokens/revoke": (Case(staff, body=lambda o: {"prefix": o.gateway_token.prefix}),),
}

FURTHER_ENDPOINTS: dict[str, tuple[Case, ...]] = {
    "GET sessions/{pk}": _own("session"),
    "DELETE sessions/{pk}": _own("session"),
    "POST sessions/revoke-others": (Case(anyone),),
    "GET second-factor": (Case(anyone),),
    "POST second-factor/begin": (Case(anyone),),
    # a token alone proves nobody, and who asks in the matrix has no password
    "POST second-factor/confirm": (Case(no_one, body=lambda o: {"enrolment": NEW, "code": "123456"}),),
    "POST second-factor/recovery-codes": (Case(anyone, body=lambda o: {"code": "123456"}, further=(409,)),),
    "POST second-factor/turn-off": (Case(anyone, body=lambda o: {"code": "123456"}, further=(409,)),),
    "POST second-factor/reset": (Case(no_one, body=lambda o: {"user": o.person.handle}),),
    "GET organizations/{organization}/roles": (_role(ROLES_SEEN),),
    "POST organizations/{organization}/roles": (
        _role(ORGANIZATION_MEMBERS, body=lambda o: {"name": NEW, "actions": ["project.view"]}),
    ),
    "GET organizations/{organization}/roles/{role}": (_role(ROLES_SEEN, role="own_role"),),
    "PATCH organizations/{organization}/roles/{role}": (
        _role(ORGANIZATION_MEMBERS, role="own_role", body=lambda o: {"actions": ["project.view"]}),
    ),
    "DELETE organizations/{organization}/roles/{role}": (_role(ORGANIZATION_MEMBERS, role="own_role"),),
    "POST access-tokens/revoke": (Case(staff, body=lambda o: {"prefix": o.token.prefix}),),
    "POST service-accounts": (
        Case(MACHINES_MANAGED, PROJECT_SEEN, body=lambda o: {"project": str(o.project.pk), "name": NEW}, unseen=400),
    ),
    "GET service-accounts/{pk}": (_unseen_or_allowed(PROJECT_SEEN, "machine"),),
    "PATCH service-accounts/{pk}": (_machine("machine", body=lambda o: {"description": NEW}),),
    "DELETE service-accounts/{pk}": (_machine("machine"),),
    "GET service-accounts/{pk}/tokens": (_machine("machine"),),
    "POST service-accounts/{pk}/tokens": (_machine("machine", body=lambda o: {"name": NEW}),),
    "DELETE service-accounts/{pk}/tokens/{token}": (_machine("machine", at={"token": "machine_token"}),),
    "POST federation-rules": (
        Case(
            MACHINES_MANAGED,
            PROJECT_SEEN,
            body=lambda o: {**RULE, "service_account": str(o.machine.pk), "name": NEW},
            unseen=400,
        ),
    ),
    "GET federation-rules/{pk}": (_unseen_or_allowed(PROJECT_SEEN, "federation_rule"),),
    "PATCH federation-rules/{pk}": (_machine("federation_rule", body=lambda o: {"audience": NEW}),),
    "DELETE federation-rules/{pk}": (_machine("federation_rule"),),
    "POST group-mappings": (
        Case(
            ORGANIZATION_MEMBERS,
            ORGANIZATION_SEEN,
            body=lambda o: {"organization": str(o.organization.pk), "group": NEW, "role": "member"},
            unseen=400,
        ),
    ),
    "GET group-mappings/{pk}": (_unseen_or_allowed(ORGANIZATION_MEMBERS, "group_mapping"),),
    "PATCH group-mappings/{pk}": (
        _unseen_or_allowed(ORGANIZATION_MEMBERS, "group_mapping", body=lambda o: {"group": NEW}),
    ),
    "DELETE group-mappings/{pk}": (_unseen_or_allowed(ORGANIZATION_MEMBERS, "group_mapping"),),
    "POST invitations": (
        Case(
            PROJECT_MEMBERS,
            PROJECT_SEEN,
            body=lambda o: {"project": str(o.project.pk), "role": "viewer"},
            unseen=400,
        ),
        Case(
            ORGANIZATION_MEMBERS,
            ORGANIZATION_SEEN,
            body=lambda o: {"organization": str(o.organization.pk), "role": "member"},
            unseen=400,
        ),
    ),
    "GET invitations/{pk}": _invitations(),
    "DELETE invitations/{pk}": _invitations(),
    "POST invitations/{pk}/resend": _invitations(body=lambda o: {}),
    # for whoever was handed the link
    "POST invitations/accept": (Case(anyone, body=lambda o: {"token": o.invitation_secret}),),
    "POST projects/{project}/join-requests": (
        # who is in it already is told so
        Case(
            either(joins, PROJECT_SEEN),
            either(joins, PROJECT_SEEN),
            at={"project": "project"},
            body=lambda o: {},
            further=(409,),
        ),
    ),
    "GET join-requests/{pk}": (_unseen_or_allowed(PROJECT_MEMBERS, "join_request"),),
    "POST join-requests/{pk}/accept": (_unseen_or_allowed(PROJECT_MEMBERS, "join_request"),),
    "POST join-requests/{pk}/decline": (_unseen_or_allowed(PROJECT_MEMBERS, "join_request"),),
    # for who asked only
    "DELETE join-requests/{pk}": (Case(no_one, PROJECT_MEMBERS, "join_request"),),
    "GET audit-events/export": (Case(either(staff, somewhere("organization.audit"))),),
    "GET audit-events/{pk}": (
        _unseen_or_allowed(AUDITED, "audit_event"),
        _unseen_or_allowed(staff, "platform_event"),
    ),
    "GET notifications/{pk}": _own("notification"),
    "PATCH notifications/{pk}": _own("notification", body=lambda o: {"read": True}),
    "POST notifications/read-all": (Case(anyone),),
    "GET notification-preferences": (Case(anyone),),
    "PATCH notification-preferences/{kind}": (
        Case(anyone, at={"kind": "notification_kind"}, body=lambda o: {"mail": False}),
    ),
    "POST webhooks": (
        Case(
            HOOKED,
            ORGANIZATION_SEEN,
            body=lambda o: {**HOOK, "organization": str(o.organization.pk)},
            unseen=400,
        ),
        Case(HOOKED_PROJECT, PROJECT_SEEN, body=lambda o: {**HOOK, "project": str(o.project.pk)}, unseen=400),
    ),
    "GET webhooks/{pk}": _webhooks(),
    "PATCH webhooks/{pk}": _webhooks(body=lambda o: {"enabled": False}),
    "DELETE webhooks/{pk}": _webhooks(),
    "POST webhooks/{pk}/ping": _webhooks(),
    "POST webhooks/{pk}/rotate-secret": _webhooks(),
    "GET webhooks/{webhook}/deliveries": (Case(HOOKED, HOOKED, at={"webhook": "webhook"}),),
    "GET webhooks/{webhook}/deliveries/{pk}": (_unseen_or_allowed(HOOKED, "delivery", at={"webhook": "webhook"}),),
    "POST webhooks/{webhook}/deliveries/{pk}/redeliver": (
        _unseen_or_allowed(HOOKED, "delivery", at={"webhook": "webhook"}),
    ),
    "POST region-offers": (
        Case(
            staff,
            either(staff, ORGANIZATION_SEEN),
            body=lambda o: {"region": NEW, "organization": str(o.organization.pk)},
            unseen=400,
        ),
        Case(
            staff,
            either(staff, PROJECT_SEEN),
            body=lambda o: {"region": NEW, "project": str(o.project.pk)},
            unseen=400,
        ),
    ),
    "GET region-offers/{pk}": (
        _unseen_or_allowed(OFFER_SEEN, "region_offer"),
        _unseen_or_allowed(OFFER_TO_PROJECT_SEEN, "region_offer_to_project"),
    ),
    "DELETE region-offers/{pk}": (
        Case(staff, OFFER_SEEN, "region_offer"),
        Case(staff, OFFER_TO_PROJECT_SEEN, "region_offer_to_project"),
    ),
    "POST virtual-clusters/placement-preview": (
        Case(
            in_project("virtualcluster.create"),
            PROJECT_SEEN,
            body=lambda o: {"project": str(o.project.pk)},
            unseen=400,
        ),
    ),
    # each of several is answered for itself: tests/clusters/test_batches.py asks whether as it would be alone
    "POST virtual-clusters/batch-create": (
        Case(anyone, body=lambda o: {"items": [{"project": str(o.project.pk), "name": "new-one"}]}),
    ),
    "POST virtual-clusters/batch-delete": (Case(anyone, body=lambda o: {"items": [{"id": str(o.cluster.pk)}]}),),
    "GET virtual-clusters/{pk}/kubeconfigs": (Case(CLUSTER_SEEN, CLUSTER_SEEN, "cluster"),),
    **GATEWAY_ENDPOINTS,
    "POST virtual-clusters/{pk}/transfer": (
        Case(on_cluster("virtualcluster.transfer"), CLUSTER_SEEN, "cluster", lambda o: {"owner": o.person.handle}),
    ),
    "GET virtual-clusters/{cluster}/exports": (_on_cluster(CLUSTER_SEEN),),
    "POST virtual-clusters/{cluster}/exports": (_on_cluster(on_cluster("virtualcluster.export"), further=(409,)),),
    "GET exports/{pk}": (Case(CLUSTER_SEEN, CLUSTER_SEEN, "export"),),
    # 409: those of the matrix have no file
    "GET exports/{pk}/content": (
        Case(on_cluster("virtualcluster.export.read"), CLUSTER_SEEN, "export", further=(409,)),
    ),
    "POST exports/{pk}/restore": (
        Case(
            both(on_cluster("virtualcluster.export.read"), in_project("virtualcluster.create")),
            CLUSTER_SEEN,
            "export",
            body=lambda o: {},
            further=(409,),
        ),
        Case(
            both(on_cluster("virtualcluster.export.read"), on_cluster("virtualcluster.update")),
            CLUSTER_SEEN,
            "export",
            body=lambda o: {"into": str(o.cluster.pk)},
            further=(409,),
        ),
    ),
    "DELETE exports/{pk}": (Case(on_cluster("virtualcluster.delete"), CLUSTER_SEEN, "export"),),
    "GET virtual-clusters/{cluster}/uses": (_on_cluster(CLUSTER_SEEN),),
    "GET virtual-clusters/{cluster}/signals": (_on_cluster(CLUSTER_SEEN),),
    "GET virtual-clusters/{cluster}/writers": (_on_cluster(CLUSTER_SEEN),),
    "GET virtual-clusters/{cluster}/writers/{writer}": (_on_cluster(CLUSTER_SEEN, at={"writer": "writer"}),),
    "PATCH virtual-clusters/{cluster}/writers/{writer}": (
        _on_cluster(
            on_cluster("virtualcluster.lifecycle"), at={"writer": "writer"}, body=lambda o: {"verdict": "inside"}
        ),
    ),
    "GET gateway-requests/{pk}": (_unseen_or_allowed(REQUESTS_READ, "gateway_request"),),
    "GET virtual-clusters/{cluster}/shares": (_on_cluster(CLUSTER_SEEN),),
    "POST virtual-clusters/{cluster}/shares": (
        _on_cluster(on_cluster("virtualcluster.share"), body=lambda o: {"user": o.person.handle, "role": "viewer"}),
    ),
    "DELETE virtual-clusters/{cluster}/shares/{share}": (
        _on_cluster(on_cluster("virtualcluster.share"), at={"share": "share"}),
    ),
    "GET virtual-clusters/{cluster}/break-glass": (
        _on_cluster(either(staff, CLUSTER_SEEN), sees=either(staff, CLUSTER_SEEN)),
    ),
    # whoever is not of the platform's staff hears that there is nothing
    "POST virtual-clusters/{cluster}/break-glass": (
        _on_cluster(staff, sees=staff, body=lambda o: {"reason": "the matrix looks whether it may"}),
    ),
    "DELETE virtual-clusters/{cluster}/break-glass/{grant}": (
        _on_cluster(ENDS_BROKEN_GLASS, sees=either(staff, CLUSTER_SEEN), at={"grant": "grant"}),
    ),
}

FURTHER_LISTS: dict[str, tuple[tuple[str, Rule], ...]] = {
    "GET service-accounts": (("machine", PROJECT_SEEN),),
    "GET federation-rules": (("federation_rule", PROJECT_SEEN),),
    "GET group-mappings": (("group_mapping", ORGANIZATION_MEMBERS),),
    "GET invitations": (("invitation", PROJECT_MEMBERS), ("invitation_to_organization", ORGANIZATION_MEMBERS)),
    "GET join-requests": (("join_request", PROJECT_MEMBERS),),
    "GET projects/joinable": (("project", joins),),
    "GET audit-events": (("audit_event", AUDITED), ("platform_event", staff)),
    "GET sessions": (("own_session", anyone), ("session", no_one)),
    "GET exports": (("export", CLUSTER_SEEN),),
    "GET gateway-requests": (("gateway_request", REQUESTS_READ),),
    "GET notifications": (("own_notification", anyone), ("notification", no_one)),
    "GET webhooks": (("webhook", HOOKED), ("webhook_of_project", HOOKED_PROJECT)),
    "GET region-offers": (("region_offer", OFFER_SEEN), ("region_offer_to_project", OFFER_TO_PROJECT_SEEN)),
}
