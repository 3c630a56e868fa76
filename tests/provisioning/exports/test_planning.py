"""What of an export is made again, how it is sent, and what is only listed."""

from provisioning.drivers.kinds import Json
from provisioning.exports.merging import merge_patch
from provisioning.exports.restoring import (
    Planned,
    as_sent,
    counts_the_same,
    references_rewritten,
    restore_plan,
    status_sent,
)
from tests.provisioning.exports.samples import SAMPLES, obj, owner


def sample(kind: str, name: str) -> Json:
    return next(each for each in SAMPLES if (each["kind"], each["metadata"]["name"]) == (kind, name))


def test_what_has_ended_is_listed_and_not_run_again() -> None:
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    going = {"conditions": [{"type": "Suspended", "status": "True"}], "active": 1}
    objects = [
        obj("batch/v1", "Job", "done", "a", spec={}, status=done),
        obj("batch/v1", "Job", "going", "a", spec={}, status=going),
        obj("v1", "Pod", "gone", "a", spec={}, status={"phase": "Succeeded"}),
        obj("v1", "Pod", "broke", "a", spec={}, status={"phase": "Failed"}),
        obj("v1", "Pod", "runs", "a", spec={}, status={"phase": "Running"}),
        obj("v1", "ConfigMap", "going", "a", meta={"deletionTimestamp": "2026-11-01T10:00:00Z"}),
        obj("v1", "Secret", "token", "a", type="kubernetes.io/service-account-token"),
    ]
    plan = restore_plan(objects)
    assert [each.key.name for each in plan.wanted] == ["runs", "going"]
    assert {each.key.name: each.why for each in plan.not_run} == {
        "broke": "It had ended (Failed); it is not run again.",
        "done": "It had ended (Complete); it is not run again.",
        "going": "It was being deleted when it was exported.",
        "gone": "It had ended (Succeeded); it is not run again.",
        "token": "It is the token of a service account that was; a new one is made when it is asked for.",
    }


def test_what_a_server_chooses_is_not_sent() -> None:
    assert "clusterIP" not in as_sent(sample("Service", "web"))["spec"]
    assert "nodePort" not in as_sent(sample("Service", "web"))["spec"]["ports"][0]
    claim = as_sent(sample("PersistentVolumeClaim", "data"))
    assert "volumeName" not in claim["spec"]
    assert "annotations" not in claim["metadata"]
    assert not {"nodeName", "priority"} & as_sent(sample("Pod", "lonely"))["spec"].keys()
    assert "secrets" not in as_sent(sample("ServiceAccount", "robot"))
    assert "status" not in as_sent(sample("Deployment", "web"))


def test_a_headless_service_stays_headless_and_finalizers_and_certificates_are_kept() -> None:
    assert as_sent(sample("Service", "peers"))["spec"]["clusterIP"] == "None"
    assert as_sent(sample("PersistentVolumeClaim", "data"))["metadata"]["finalizers"] == [
        "kubernetes.io/pvc-protection"
    ]
    hook = as_sent(sample("ValidatingWebhookConfiguration", "checks"))
    assert hook["webhooks"][0]["clientConfig"]["caBundle"] == "Q0E="


def test_a_job_that_goes_on_gets_a_new_selector() -> None:
    sent = as_sent(sample("Job", "once"))
    assert "selector" not in sent["spec"]
    assert sent["spec"]["template"]["metadata"]["labels"] == {"job-name": "once"}
    manual = obj("batch/v1", "Job", "own", "a", spec={"manualSelector": True, "selector": {"matchLabels": {"x": "y"}}})
    assert as_sent(manual)["spec"]["selector"] == {"matchLabels": {"x": "y"}}


def test_what_only_looks_like_a_reference_is_left_as_it_is() -> None:
    person = {"kind": "human", "name": "Ada", "uid": "1001"}
    secret = obj("v1", "Secret", "ada", "shop", data=person, meta={"labels": person, "annotations": person})
    template = {"metadata": {"labels": person}, "spec": {"nodeSelector": person}}
    gadget = obj("example.com/v1", "Gadget", "x", "shop", spec={"panel": person, "template": template})
    for each in (secret, gadget):
        assert references_rewritten(each, {"1001": None}.get) == each
    known = {"1001": "new"}.get
    assert references_rewritten(secret, known) == secret
    assert references_rewritten(gadget, known)["spec"]["panel"]["uid"] == "new"


def test_references_name_the_new_uids_and_none_names_what_is_not_there() -> None:
    value = {
        "claimRef": owner("PersistentVolumeClaim", "data", "old"),
        "list": [{"kind": "Pod", "name": "x", "uid": "11111111-1111-4111-8111-111111111111"}],
        "uid": "a number of their own",
    }
    assert references_rewritten(value, {"old": "new"}.get) == {
        "claimRef": owner("PersistentVolumeClaim", "data", "new"),
        "list": [{"kind": "Pod", "name": "x"}],
        "uid": "a number of their own",
    }


def test_the_status_of_a_custom_resource_is_carried_with_the_generations_that_it_has_seen() -> None:
    plan = restore_plan([sample("Gadget", "first"), sample("Deployment", "web")])
    carried = {each.key.kind: each for each in plan.wanted}
    made: Json = {"metadata": {"generation": 1}}
    assert status_sent(carried["Gadget"], made) == {
        "phase": "Done",
        "observedGeneration": 1,  # it had seen the newest one
        "conditions": [{"type": "Ready", "status": "True", "observedGeneration": 0}],  # this one had not
    }
    assert status_sent(carried["Deployment"], made) is None


def test_what_others_lean_on_comes_first() -> None:
    plan = restore_plan(SAMPLES)
    first = plan.wanted[: plan.leaned_on]
    assert {each.key.kind for each in first} == {
        "CustomResourceDefinition",
        "Namespace",
        "PriorityClass",
        "ClusterRole",
        "RoleBinding",
    }
    assert plan.definitions.keys() == {("example.com", "Gadget")}


def test_an_object_that_differs_in_its_status_only_counts_the_same() -> None:
    one = sample("Gadget", "first")
    assert counts_the_same(one, {**one, "status": {"phase": "New"}})
    assert not counts_the_same(one, {**one, "spec": {"size": 4}})


def test_a_merge_patch_makes_one_object_of_the_other() -> None:
    before = {"a": 1, "b": {"c": 1, "d": [1]}, "gone": True}
    after = {"a": 1, "b": {"c": 2, "d": [2], "e": {}}, "new": None}
    assert merge_patch(before, after) == {"gone": None, "b": {"c": 2, "d": [2], "e": {}}, "new": None}
    assert merge_patch(before, before) == {}


def test_planning_leaves_the_exported_objects_as_they_are() -> None:
    one = sample("Service", "web")
    planned: Planned = restore_plan([one]).wanted[0]
    assert planned.exported is one
    assert one["spec"]["clusterIP"] == "10.0.0.7"


def test_only_objects_of_one_kind_that_name_no_others_are_made_side_by_side() -> None:
    objects = [
        obj("v1", "ConfigMap", "a", "a"),
        obj("v1", "ConfigMap", "b", "a"),
        obj("v1", "ConfigMap", "c", "a", meta={"ownerReferences": [owner("ConfigMap", "a", "u-1")]}),
        obj("v1", "ConfigMap", "d", "a"),
        obj("example.com/v1", "Order", "e", "a", spec={"of": {"kind": "ConfigMap", "name": "a", "uid": "u-1"}}),
        obj("v1", "Secret", "f", "a"),
    ]
    plan = restore_plan(objects)
    parts, at = [], 0
    while at < len(plan.wanted):
        until = plan.alike(at, len(plan.wanted))
        parts.append({each.key.name for each in plan.wanted[at:until]})
        at = until
    assert sorted(map(sorted, parts)) == [["a", "b"], ["c"], ["d"], ["e"], ["f"]]
    assert plan.alike(0, 1) == 1
