"""Least privilege, as data: what the roles hold, what they never hold, and that they suffice for the chart."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from accounts.errors import InvalidInput
from clusters.host_permissions import Mode
from clusters.host_roles import (
    Permission,
    manifest_render,
    permissions_missing,
    permissions_needed,
    permissions_of,
    tenant_binding,
)
from clusters.host_rules import HOST_RULES, METRICS_RULES, RENEWAL_RULES, TENANT_RULES, Rule, namespace_rules

ALL_RULES = (*HOST_RULES, *TENANT_RULES, *RENEWAL_RULES, *namespace_rules("team-a"))
ALL_VERBS = ["create", "delete", "patch", "update", "get", "list", "watch"]
CHART_ROLE = Path(__file__).parents[3] / "localkube/charts/vcluster/templates/role.yaml"

OFFICIAL_ROLE: list[dict[str, Any]] = [
    # as the official chart grants it by default, and for the kinds that Marina has synced (read in its template)
    {
        "apiGroups": [""],
        "resources": [
            *("configmaps", "secrets", "services", "pods", "pods/attach", "pods/portforward", "pods/exec"),
            "persistentvolumeclaims",
        ],
        "verbs": ALL_VERBS,
    },
    {"apiGroups": [""], "resources": ["pods/status", "pods/ephemeralcontainers"], "verbs": ["patch", "update"]},
    {
        "apiGroups": ["apps"],
        "resources": ["statefulsets", "replicasets", "deployments"],
        "verbs": ["get", "list", "watch"],
    },
    {"apiGroups": [""], "resources": ["endpoints", "events", "pods/log"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["endpoints"], "verbs": ["create", "delete", "patch", "update"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ALL_VERBS},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ALL_VERBS},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ALL_VERBS},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ALL_VERBS},
]


def rules_of_manifest(rules: list[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            api_groups=tuple(rule["apiGroups"]),
            resources=tuple(rule["resources"]),
            verbs=tuple(rule["verbs"]),
            needed_for="",
        )
        for rule in rules
    )


def documents(mode: Mode, *namespaces: str, long_lived: bool = False) -> dict[tuple[str, str, str], dict[str, Any]]:
    text = manifest_render(mode=mode, namespaces=namespaces, long_lived=long_lived)
    found = list(yaml.safe_load_all(text))
    return {(each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each for each in found}


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.needed_for)
def test_a_rule_has_no_wildcard_and_says_what_it_is_for(rule: Rule) -> None:
    assert not any("*" in part for part in (*rule.api_groups, *rule.resources, *rule.verbs, *rule.resource_names))
    assert not {"escalate", "impersonate", "deletecollection"} & {*rule.verbs}
    assert rule.needed_for


def test_bind_is_held_for_marina_tenant_alone() -> None:
    (rule,) = [rule for rule in ALL_RULES if "bind" in rule.verbs]
    assert (rule.resources, rule.resource_names) == (("clusterroles",), ("marina-tenant",))
    assert set(rule.verbs) == {"bind", "get"}


def test_secrets_and_roles_are_touched_in_the_namespaces_of_virtual_clusters_only() -> None:
    elsewhere = (*HOST_RULES, *RENEWAL_RULES, *namespace_rules("team-a"))
    touched = {resource.partition("/")[0] for rule in elsewhere for resource in rule.resources}
    assert touched == {
        *("namespaces", "nodes", "storageclasses", "ingressclasses"),
        *("pods", "deployments", "statefulsets"),
        *("rolebindings", "clusterroles", "serviceaccounts"),
    }
    accounts = [rule for rule in elsewhere if "serviceaccounts" in rule.resources[0]]
    assert [(rule.resources, rule.verbs) for rule in accounts] == [(("serviceaccounts/token",), ("create",))]
    assert accounts[0].resource_names == ("marina",)


def test_what_runs_elsewhere_on_the_host_is_listed_and_nothing_else() -> None:
    rules = [rule for rule in HOST_RULES if {"pods", "deployments", "statefulsets"} & {*rule.resources}]
    assert len(rules) == 2
    assert {verb for rule in rules for verb in rule.verbs} == {"list"}
    assert not any("/" in resource for rule in rules for resource in rule.resources)


def test_an_existing_binding_can_be_changed_only_where_marina_made_it() -> None:
    changing = [rule for rule in HOST_RULES if "rolebindings" in rule.resources and {"patch", "update"} & {*rule.verbs}]
    assert [rule.resource_names for rule in changing] == [("marina-tenant",)]
    assert not any("delete" in rule.verbs for rule in HOST_RULES if "rolebindings" in rule.resources)
    assert tenant_binding("marina-x")["metadata"]["name"] == "marina-tenant"


def test_nodes_are_only_read_and_no_role_is_made_for_the_whole_cluster() -> None:
    for rule in ALL_RULES:
        if "nodes" in rule.resources:
            assert set(rule.verbs) <= {"get", "list", "watch"}
        if "clusterroles" in rule.resources or "clusterrolebindings" in rule.resources:
            assert not {"create", "update", "patch", "delete"} & {*rule.verbs}


def test_marina_holds_every_right_that_the_official_charts_role_grants() -> None:
    held = set(permissions_of(TENANT_RULES))
    assert not set(permissions_of(rules_of_manifest(OFFICIAL_ROLE))) - held


def test_marina_holds_every_right_that_the_stand_ins_role_grants_but_those_it_does_not_offer() -> None:
    text = re.sub(r"\{\{ \$all \}\}", str(ALL_VERBS), CHART_ROLE.read_text())
    plain = "\n".join(line for line in text.splitlines() if "{{" not in line)
    role = next(iter(yaml.safe_load_all(plain)))
    lacking = {
        each.resource
        for each in permissions_of(rules_of_manifest(role["rules"]))
        if each not in permissions_of(TENANT_RULES)
    }
    # both are switches that only staff may turn, and on a host where Marina was given more
    assert lacking <= {"serviceaccounts", "volumesnapshots"}
    assert len(role["rules"]) >= 8


def test_what_helm_and_the_flows_need_is_there() -> None:
    needed = permissions_needed("cluster")
    for verb in ("create", "patch", "delete"):
        assert Permission(verb=verb, resource="namespaces") in needed.host
        for group, resource in (
            ("", "secrets"),
            ("", "services"),
            ("", "serviceaccounts"),
            ("", "persistentvolumeclaims"),
            ("", "resourcequotas"),
            ("", "limitranges"),
            ("apps", "statefulsets"),
            ("networking.k8s.io", "networkpolicies"),
            ("rbac.authorization.k8s.io", "roles"),
            ("rbac.authorization.k8s.io", "rolebindings"),
        ):
            assert Permission(verb=verb, group=group, resource=resource) in needed.namespace
    for verb in ("get", "create"):
        assert Permission(verb=verb, resource="pods", subresource="portforward") in needed.namespace
    assert needed.renewal == (
        Permission(verb="create", resource="serviceaccounts", subresource="token", name="marina"),
    )


def test_in_mode_namespaces_nothing_is_asked_of_the_whole_cluster() -> None:
    needed = permissions_needed("namespaces", namespace="team-a")
    assert needed.host == ()
    assert needed.namespace[:2] == (
        Permission(verb="get", resource="namespaces", name="team-a"),
        Permission(verb="patch", resource="namespaces", name="team-a"),
    )
    assert set(permissions_needed("cluster").namespace) < set(needed.namespace)


def test_a_permission_reads_like_what_an_administrator_would_grant() -> None:
    assert str(Permission(verb="get", resource="pods", subresource="portforward")) == "get pods/portforward"
    named = Permission(verb="bind", group="rbac.authorization.k8s.io", resource="clusterroles", name="marina-tenant")
    assert str(named) == "bind clusterroles.rbac.authorization.k8s.io named marina-tenant"


def test_a_complete_role_misses_nothing_and_each_rule_taken_away_is_missed() -> None:
    rules = [rule.as_manifest() for rule in TENANT_RULES]
    needed = permissions_of(TENANT_RULES)
    assert permissions_missing(needed, rules=rules) == ()
    for number, rule in enumerate(TENANT_RULES):
        rest = rules[:number] + rules[number + 1 :]
        assert permissions_missing(needed, rules=rest) == permissions_of([rule])


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, False),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["*"]}, False),
        ({"apiGroups": [""], "resources": ["*/exec"], "verbs": ["create"]}, False),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}, True),
        ({"apiGroups": ["apps"], "resources": ["pods/exec"], "verbs": ["create"]}, True),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}, True),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"], "resourceNames": ["x"]}, True),
        ({"nonResourceURLs": ["*"], "verbs": ["*"]}, True),
        ({}, True),
    ],
)
def test_a_role_written_by_hand_is_read_as_kubernetes_reads_it(rule: dict[str, Any], missing: bool) -> None:
    wanted = Permission(verb="create", resource="pods", subresource="exec")
    assert bool(permissions_missing([wanted], rules=[rule])) is missing


def test_the_manifest_for_a_whole_cluster_holds_these_objects_and_no_other() -> None:
    assert set(documents("cluster")) == {
        ("Namespace", "", "marina-system"),
        ("ServiceAccount", "marina-system", "marina"),
        ("ClusterRole", "", "marina-host"),
        ("ClusterRole", "", "marina-tenant"),
        ("ClusterRoleBinding", "", "marina-host"),
        ("Role", "marina-system", "marina-token"),
        ("RoleBinding", "marina-system", "marina-token"),
    }


def test_the_manifest_for_namespaces_makes_no_right_beyond_them() -> None:
    found = documents("namespaces", "team-a", "team-b")
    assert not {kind for kind, _, _ in found} & {"ClusterRole", "ClusterRoleBinding"}
    for namespace in ("team-a", "team-b"):
        assert ("RoleBinding", namespace, "marina-tenant") in found
        assert found["Role", namespace, "marina-namespace"]["rules"] == [
            {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch"], "resourceNames": [namespace]}
        ]


def test_the_manifests_roles_are_the_data() -> None:
    found = documents("cluster")
    assert found["ClusterRole", "", "marina-host"]["rules"] == [rule.as_manifest() for rule in HOST_RULES]
    tenant = [rule.as_manifest() for rule in (*TENANT_RULES, *METRICS_RULES)]
    assert found["ClusterRole", "", "marina-tenant"]["rules"] == tenant


def test_the_right_to_read_what_pods_take_is_given_and_never_needed() -> None:
    for mode in ("cluster", "namespaces"):
        needed = permissions_needed(mode, namespace="team-a")
        assert not set(permissions_of(METRICS_RULES)) & {*needed.host, *needed.namespace, *needed.renewal}


def test_every_object_is_labelled_and_every_binding_leads_to_a_role_of_the_manifest() -> None:
    for found in (documents("cluster"), documents("namespaces", "team-a", long_lived=True)):
        for (kind, namespace, _), each in found.items():
            assert each["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "marina"}
            if kind.endswith("Binding"):
                assert (each["roleRef"]["kind"], namespace, each["roleRef"]["name"]) in found
                assert each["subjects"] == [{"kind": "ServiceAccount", "name": "marina", "namespace": "marina-system"}]


def test_a_long_lived_token_is_a_secret_instead_of_the_right_to_renew() -> None:
    found = documents("cluster", long_lived=True)
    secret = found["Secret", "marina-system", "marina-token"]
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "marina"}
    assert ("Role", "marina-system", "marina-token") not in found
    assert ("Secret", "marina-system", "marina-token") not in documents("cluster")


def test_the_manifest_explains_each_rule_to_its_reader() -> None:
    text = manifest_render(mode="cluster")
    assert all(f"# {rule.needed_for}\n" in text for rule in (*HOST_RULES, *TENANT_RULES, *RENEWAL_RULES))
    assert all(part.lstrip().startswith("#") for part in text.split("---\n"))


@pytest.mark.parametrize(
    ("mode", "namespaces", "field"),
    [
        ("cluster", ["team-a"], "namespaces"),
        ("namespaces", [], "namespaces"),
        ("namespaces", ["team-a", "team-a"], "namespaces"),
        ("namespaces", ["team-a", "Team"], "namespaces[1]"),
        ("namespaces", ["a\n---\nkind: Evil"], "namespaces[0]"),
        ("namespaces", ["kube-system"], "namespaces[0]"),
        ("namespaces", ["marina-system"], "namespaces[0]"),
    ],
)
def test_a_list_of_namespaces_that_does_not_fit_is_refused(mode: Mode, namespaces: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        manifest_render(mode=mode, namespaces=namespaces)
    assert caught.value.field == field
