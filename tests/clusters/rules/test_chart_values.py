"""Values of the chart: one order of merging, and what is refused is named by its full path."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.chart_rules import OWNED_KEYS, STAFF_KEYS, USER_KEYS
from clusters.chart_values import not_synced, values_check, values_merge, values_render
from clusters.chart_wish import HostCapabilities, ImageSettings, ReleaseWish
from clusters.sizes import SIZES
from clusters.versions import KubernetesVersion

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "$defs": {
        "Switch": {"type": "object", "additionalProperties": False, "properties": {"enabled": {"type": "boolean"}}}
    },
    "properties": {
        "controlPlane": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "coredns": {"type": "object"},
                "statefulSet": {"type": "object"},
                "proxy": {"properties": {"extraSANs": {"type": "array", "items": {"type": "string"}}}},
            },
        },
        "sync": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "toHost": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"ingresses": {"$ref": "#/$defs/Switch"}, "pods": {"$ref": "#/$defs/Switch"}},
                },
                "fromHost": {"type": "object"},
            },
        },
        "policies": {"type": "object", "properties": {"podSecurityStandard": {"enum": ["", "baseline", "restricted"]}}},
        "networking": {"anyOf": [{"type": "object"}, {"type": "null"}]},
    },
}
STAND_IN = Path(__file__).parents[3] / "localkube/charts/vcluster/values.schema.json"
EVERYTHING = HostCapabilities(ingresses=True, network_policies=True, disruption_budgets=True)


def wish(**changes: Any) -> ReleaseWish:
    given_values: dict[str, Any] = {
        "kubernetes_version": KubernetesVersion.parse("1.36.3"),
        "chart_version": "0.36.1",
        "size": SIZES["small"],
        **changes,
    }
    return ReleaseWish(**given_values)


def rendered(
    *,
    host: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    images: ImageSettings | None = None,
    capabilities: HostCapabilities = EVERYTHING,
    **changes: Any,
) -> dict[str, Any]:
    return values_render(
        wish(**changes),
        images=images or ImageSettings(),
        capabilities=capabilities,
        host_values=host or {},
        spec_values=spec or {},
    )


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


def path_with(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    found: dict[str, Any] = value
    return found


def refusal_of(values: Any, *, staff: bool = False, schema: dict[str, Any] | None = None) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        values_check(values, schema=SCHEMA if schema is None else schema, acting_staff=staff)
    assert all(error.field and error.message and error.accepted for error in caught.value.errors)
    return caught.value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("controlPlane.statefulSet.image.repository", "loft-sh/vcluster-oss"),
        ("controlPlane.statefulSet.image.tag", "0.36.1"),
        ("controlPlane.distro.k8s.image.repository", "loft-sh/kubernetes"),
        ("controlPlane.distro.k8s.image.tag", "v1.36.3"),
        ("controlPlane.statefulSet.highAvailability.replicas", 1),
        ("controlPlane.statefulSet.resources.requests", {"cpu": "200m", "memory": "256Mi"}),
        ("controlPlane.service.spec.type", "ClusterIP"),
        ("telemetry.enabled", False),
        ("sync.toHost.ingresses.enabled", True),
        ("sync.toHost.networkPolicies.enabled", True),
        ("sync.toHost.podDisruptionBudgets.enabled", True),
        ("sync.fromHost.ingressClasses.enabled", False),
    ],
)
def test_marina_sets_the_key(path: str, value: Any) -> None:
    assert at(rendered(), path) == value


def test_images_come_from_the_settings_and_a_mirror_replaces_every_registry() -> None:
    images = ImageSettings(
        vcluster_registry="r1", vcluster_tag="t", kubernetes_registry="r2", coredns="c:1", default_registry="mirror"
    )
    plane = rendered(images=images)["controlPlane"]
    assert plane["statefulSet"]["image"] == {"registry": "r1", "repository": "loft-sh/vcluster-oss", "tag": "t"}
    assert plane["distro"]["k8s"]["image"]["registry"] == "r2"
    assert plane["coredns"]["deployment"]["image"] == "c:1"
    assert plane["advanced"]["defaultImageRegistry"] == "mirror"


def test_later_layers_win_settings_then_host_then_spec_then_marina() -> None:
    path = "controlPlane.statefulSet.image.registry"
    assert at(rendered(images=ImageSettings(vcluster_registry="a"), host=path_with(path, "b")), path) == "b"
    assert at(rendered(host=path_with(path, "b"), spec=path_with(path, "c")), path) == "c"
    for owned, value in (("telemetry.enabled", False), ("controlPlane.service.spec.type", "ClusterIP")):
        assert at(rendered(host=path_with(owned, True), spec=path_with(owned, True)), owned) == value


def test_a_user_may_leave_off_what_the_host_could_sync_but_not_switch_on_what_it_lacks() -> None:
    path = "sync.toHost.ingresses.enabled"
    assert at(rendered(spec=path_with(path, False)), path) is False
    assert at(rendered(spec=path_with(path, True), capabilities=HostCapabilities()), path) is False


def test_a_load_balancer_and_a_sleeping_control_plane_are_set() -> None:
    values = rendered(load_balancer=True, replicas=0)
    assert at(values, "controlPlane.service.spec.type") == "LoadBalancer"
    assert at(values, "controlPlane.statefulSet.highAvailability.replicas") == 0


def test_no_name_of_the_certificate_is_lost() -> None:
    path = "controlPlane.proxy.extraSANs"
    assert at(rendered(spec=path_with(path, ["a", "b"]), extra_sans=("b", "c")), path) == ["a", "b", "c"]
    assert "proxy" not in rendered()["controlPlane"]


def test_rendering_changes_none_of_its_arguments() -> None:
    host, spec = path_with("a.b", [1]), path_with("a.c", {"d": 1})
    before = copy.deepcopy((host, spec))
    rendered(host=host, spec=spec)["a"]["b"].append(2)
    assert (host, spec) == before


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
trees = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6),
    max_size=3,
)


@settings(deadline=None)
@given(trees, trees, trees)
def test_merging_is_associative_and_the_last_layer_is_found_whole(a: Any, b: Any, c: Any) -> None:
    assert values_merge(a, b, c) == values_merge(values_merge(a, b), c)
    merged = values_merge(a, b)

    def check(part: Any, whole: Any) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                check(value, whole[key])
        else:
            assert part == whole

    check(b, merged)


def test_an_unknown_key_is_named_with_the_known_ones_and_the_nearest() -> None:
    error = refusal_of({"controlPlane": {"corednss": {}}})
    assert error.field == "spec.values.controlPlane.corednss"
    assert error.accepted == "perhaps coredns; known here: coredns, proxy, statefulSet"


@pytest.mark.parametrize(
    ("values", "field", "accepted"),
    [
        ({"sync": {"toHost": {"pods": {"enabled": "s3cr3t"}}}}, "spec.values.sync.toHost.pods.enabled", "boolean"),
        (
            {"policies": {"podSecurityStandard": "s3cr3t"}},
            "spec.values.policies.podSecurityStandard",
            "one of: , baseline, restricted",
        ),
        ({"controlPlane": {"proxy": {"extraSANs": [7]}}}, "spec.values.controlPlane.proxy.extraSANs[0]", "string"),
        ({"networking": "s3cr3t"}, "spec.values.networking", "object or null"),
        ({"bogus.key": 1}, 'spec.values["bogus.key"]', "known here: controlPlane, networking, policies, sync"),
    ],
)
def test_a_value_the_schema_refuses_is_named_by_path_and_never_quoted(
    values: dict[str, Any], field: str, accepted: str
) -> None:
    error = refusal_of(values, staff=True)
    assert (error.field, error.accepted) == (field, accepted)
    assert "s3cr3t" not in repr(error.errors)


@pytest.mark.parametrize("path", [rule.path for rule in STAFF_KEYS])
def test_a_key_kept_to_staff_is_refused_to_users_with_its_reason(path: str) -> None:
    reason = next(rule.reason for rule in STAFF_KEYS if rule.path == path)
    probe = f"{path}.deeper.still"
    if any(f"{path}.".startswith(f"{rule.path}.") for rule in OWNED_KEYS):
        return
    for value in ({"x": 1}, True, None):
        error = refusal_of(path_with(probe, value), schema={})
        assert reason in str(error)
        values_check(path_with(probe, value), schema={}, acting_staff=True)


@pytest.mark.parametrize(
    "path",
    [
        "sync.fromHost.nodes.enabled",
        "rbac.clusterRole.extraRules",
        "rbac.role.enabled",
        "controlPlane.statefulSet.security.podSecurityContext.privileged",
        "controlPlane.statefulSet.image.repository",
        "controlPlane.statefulSet.persistence.addVolumes",
        "controlPlane.statefulSet.pods.labels",
        "controlPlane.hostPathMapper.enabled",
        "sync.toHost.pods.hybridScheduling.enabled",
        "sync.toHost.pods.patches",
        "sync.toHost.ingresses.patches",
        "sync.toHost.customResources",
        "experimental.deploy.host.manifests",
        "plugins.mine.image",
        "controlPlane.advanced.serviceAccount.name",
        "controlPlane.advanced.workloadServiceAccount.annotations",
        "exportKubeConfig.secret.namespace",
        "policies.networkPolicy.enabled",
        "policies.resourceQuota.enabled",
        "networking.replicateServices.fromHost",
        "a.key.of.a.chart.to.come",
    ],
)
def test_nothing_that_reaches_the_host_is_for_users(path: str) -> None:
    error = refusal_of(path_with(path, True), schema={})
    assert error.field == f"spec.values.{path}"
    assert str(error).startswith("Only platform staff may set this.")


@pytest.mark.parametrize("path", ["controlPlane", "controlPlane.statefulSet", "sync", "rbac", "policies"])
def test_a_whole_branch_cannot_be_wiped_by_a_user(path: str) -> None:
    wiping: tuple[Any, ...] = (None, "x", [], 0)
    for value in wiping:
        refusal_of(path_with(path, value), schema={})


@pytest.mark.parametrize("path", USER_KEYS)
def test_a_users_key_is_taken_but_not_emptied(path: str) -> None:
    values_check(path_with(path, "x"), schema={}, acting_staff=False)
    values_check(path_with(path, {}), schema={}, acting_staff=False)
    assert refusal_of(path_with(path, None), schema={}).accepted == "a value, or leave the key out"


def test_empty_values_are_taken() -> None:
    values_check({}, schema=SCHEMA, acting_staff=False)
    values_check({"sync": {"toHost": {}}}, schema=SCHEMA, acting_staff=False)


@pytest.mark.parametrize("path", [rule.path for rule in OWNED_KEYS])
def test_what_marina_sets_itself_is_refused_even_to_staff(path: str) -> None:
    error = refusal_of(path_with(path, "x"), staff=True, schema={})
    assert error.field == f"spec.values.{path}"
    assert "Marina" in str(error)


def nested(depth: int) -> Any:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        "text",
        7,
        nested(21),
        nested(100_000),
        {"a": "x" * 70_000},
        {"a": float("nan")},
        {1: 2},
        {"a": {1, 2}},
        {"a": "\0"},
        {"a\0": 1},
        {"a": ["\ud800"]},
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_json_mapping_of_limited_size_is_refused(values: Any) -> None:
    assert refusal_of(values, staff=True).field == "spec.values"


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["sync", "controlPlane", "x"]) | st.text(max_size=4), trees | leaves, max_size=3)
)
def test_any_values_are_taken_or_refused_by_path(values: Any) -> None:
    try:
        values_check(values, schema=SCHEMA, acting_staff=False)
    except InvalidInput as error:
        fields = [each.field for each in error.errors]
    else:
        fields = ["spec.values"]
    assert all(field.startswith("spec.values") for field in fields)


def test_what_is_not_synced_is_listed_with_what_it_means() -> None:
    kinds = {found.kind: found.reason for found in not_synced(rendered(capabilities=HostCapabilities(ingresses=True)))}
    assert kinds["NetworkPolicy"] == "They are stored but nothing enforces them."
    assert "PodDisruptionBudget" in kinds
    assert "PriorityClass" in kinds
    assert kinds.keys().isdisjoint({"Ingress", "Pod", "Secret"})
    off = path_with("sync.toHost.secrets.enabled", False)
    assert "Secret" in {found.kind for found in not_synced(rendered(spec=off))}


def test_capabilities_follow_from_what_the_host_serves() -> None:
    assert HostCapabilities.from_api_groups(["v1", "networking.k8s.io/v1", "policy/v1"]) == EVERYTHING
    assert HostCapabilities.from_api_groups(["apps/v1", "policy/v1beta1"]) == HostCapabilities()


@pytest.mark.parametrize("capabilities", [EVERYTHING, HostCapabilities()])
def test_marinas_own_values_fit_the_stand_ins_strict_schema(capabilities: HostCapabilities) -> None:
    images = ImageSettings(vcluster_registry="r", coredns="c", default_registry="d")
    values = rendered(images=images, capabilities=capabilities, load_balancer=True, extra_sans=("x",))
    schema = json.loads(STAND_IN.read_text())
    with pytest.raises(InvalidInput) as caught:
        values_check(values, schema=schema, acting_staff=True)
    # the schema is silent; what is named are Marina's own keys, all of them
    assert all("Marina" in error.message for error in caught.value.errors)


def test_what_a_host_switches_off_for_all_no_user_switches_on() -> None:
    off = {"sync": {"toHost": {"networkPolicies": {"enabled": False}}}}
    on = {"sync": {"toHost": {"networkPolicies": {"enabled": True}, "ingresses": {"enabled": True}}}}
    capabilities = HostCapabilities.of_host(["networking.k8s.io/v1", "policy/v1"], off)
    to_host = rendered(capabilities=capabilities, host=off, spec=on)["sync"]["toHost"]
    assert to_host["networkPolicies"] == {"enabled": False}
    assert to_host["ingresses"] == {"enabled": True}
