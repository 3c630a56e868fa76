"""What differs between two sets of manifests is told field by field, and no secret is told with it."""

from typing import Any

from provisioning.manifests import HIDDEN, MOST_SHOWN, manifests_differ, manifests_parse


def of(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def told(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        tuple(entry[key] for key in ("object", "path", "before", "after")) for entry in manifests_differ(before, after)
    ]


def test_a_field_that_changes_comes_or_goes_is_one_entry() -> None:
    before = [of("Service", "x", spec={"type": "ClusterIP", "old": 1, "same": True})]
    after = [of("Service", "x", spec={"type": "LoadBalancer", "new": {"a": 2}, "same": True})]
    assert told(before, after) == [
        ("Service x", "spec.new.a", None, 2),
        ("Service x", "spec.old", 1, None),
        ("Service x", "spec.type", "ClusterIP", "LoadBalancer"),
    ]


def test_an_object_that_comes_or_goes_is_one_entry() -> None:
    assert told([of("Role", "a")], [of("Role", "b")]) == [("Role a", "", "there", None), ("Role b", "", None, "made")]


def test_lists_of_named_things_are_compared_by_their_names() -> None:
    containers = [{"name": "one", "image": "a:1"}, {"name": "two", "image": "b:1"}]
    before = [of("Pod", "x", spec={"containers": containers})]
    after = [of("Pod", "x", spec={"containers": [containers[1], {"name": "one", "image": "a:2"}]})]
    assert told(before, after) == [("Pod x", "spec.containers[one].image", "a:1", "a:2")]


def test_what_secrets_and_environments_hold_is_not_shown() -> None:
    before = [
        of("Secret", "x", data={"password": "b25l"}),
        of("Pod", "x", spec={"containers": [{"name": "c", "env": [{"name": "KEY", "value": "canary-1"}]}]}),
    ]
    after = [
        of("Secret", "x", data={"password": "dHdv", "more": "eA=="}),
        of("Pod", "x", spec={"containers": [{"name": "c", "env": [{"name": "KEY", "value": "canary-2"}]}]}),
    ]
    assert told(before, after) == [
        ("Pod x", "spec.containers[c].env[KEY].value", HIDDEN, HIDDEN),
        ("Secret x", "data.more", None, HIDDEN),
        ("Secret x", "data.password", HIDDEN, HIDDEN),
    ]
    assert "canary" not in str(manifests_differ(before, after))


def test_it_has_an_end() -> None:
    before = [of("ConfigMap", "x", data={})]
    after = [of("ConfigMap", "x", data={f"k{number}": "v" * 5000 for number in range(1000)})]
    found = manifests_differ(before, after)
    assert len(found) == MOST_SHOWN
    assert all(len(str(entry["after"])) < 300 for entry in found)


def test_what_helm_renders_is_read_without_what_is_no_object() -> None:
    assert [each["kind"] for each in manifests_parse("---\n# nothing\n---\nkind: Role\n---\n[]\n")] == ["Role"]
