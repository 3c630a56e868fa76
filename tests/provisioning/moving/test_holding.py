"""What is held does not run, and is let go exactly as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.exports.digests import object_digest
from provisioning.exports.merging import merge_patch
from provisioning.moving.holding import (
    HELD,
    NOBODY,
    held,
    is_held,
    let_go,
    same_but_for_holding,
    shut,
    wanted_replicas,
)


def obj(api_version, kind, **parts):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "it", "namespace": "shop"}, **parts}


RETENTION = "persistentVolumeClaimRetentionPolicy"
HOOKS = [
    {"name": "a", "objectSelector": {}},
    {"name": "b"},
    {"name": "c", "objectSelector": {"matchLabels": {"x": "y"}}},
]
RUNNING = [
    obj("apps/v1", "Deployment", spec={"replicas": 3}),
    obj("apps/v1", "Deployment", spec={}),
    obj("apps/v1", "StatefulSet", spec={"replicas": 1}),
    obj("apps/v1", "StatefulSet", spec={"replicas": 2, RETENTION: {"whenDeleted": "Retain", "whenScaled": "Delete"}}),
    obj("apps/v1", "StatefulSet", spec={"replicas": 2, RETENTION: {"whenDeleted": "Delete", "whenScaled": "Retain"}}),
    obj("apps/v1", "ReplicaSet", spec={"replicas": 2}),
    obj("v1", "ReplicationController", spec={"replicas": 2}),
    obj("apps/v1", "DaemonSet", spec={"template": {"spec": {"containers": []}}}),
    obj("apps/v1", "DaemonSet", spec={"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}),
    obj("batch/v1", "CronJob", spec={"schedule": "* * * * *", "suspend": False}),
    obj("batch/v1", "CronJob", spec={"schedule": "* * * * *"}),
    obj("batch/v1", "Job", spec={}),
    obj("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=HOOKS),
]


@pytest.mark.parametrize("running", RUNNING, ids=lambda each: each["kind"])
def test_it_is_let_go_as_it_was(running):
    before = json.dumps(running, sort_keys=True)
    stopped = held(running)
    assert is_held(stopped)
    assert held(stopped) is stopped, "held once"
    assert same_but_for_holding(running, stopped)
    assert json.dumps(let_go(stopped), sort_keys=True) == before or object_digest(let_go(stopped)) == object_digest(
        running
    )
    assert json.dumps(running, sort_keys=True) == before, "the object itself is left alone"


def test_nothing_of_it_runs_calls_or_lets_anybody_in():
    deployment, _, *_ = map(held, RUNNING)
    assert deployment["spec"]["replicas"] == 0
    agent = held(RUNNING[8])["spec"]["template"]["spec"]["nodeSelector"]
    assert agent == {HELD: "true"}
    assert held(RUNNING[9])["spec"]["suspend"] is True
    hooks = held(RUNNING[12])["webhooks"]
    assert [each["objectSelector"] for each in hooks] == [{"matchLabels": {HELD: "true"}}] * 3
    binding = obj("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", subjects=[{"kind": "User", "name": "a"}])
    assert held(binding) is binding, "bindings of users are theirs"
    assert shut(binding)["subjects"] == []
    assert let_go(shut(binding)) == binding


def test_what_calls_nobody_is_left_alone():
    for idle in (obj("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"), obj("v1", "ConfigMap")):
        assert held(idle) is idle


def test_a_binding_that_is_shut_twice_lets_the_same_people_in_again():
    """A server leaves out a list that is empty."""
    binding = obj("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", subjects=[{"kind": "User", "name": "a"}])
    told = {key: value for key, value in shut(binding).items() if key != "subjects"}
    assert let_go(shut(told)) == binding


def test_what_changed_while_it_was_held_stays_changed():
    stopped = held(RUNNING[12])
    stopped["webhooks"][0]["clientConfig"] = {"caBundle": "new"}
    assert let_go(stopped)["webhooks"][0] == {"name": "a", "objectSelector": {}, "clientConfig": {"caBundle": "new"}}


def stateful_set(**more):
    return obj("apps/v1", "StatefulSet", spec={"replicas": 2, RETENTION: {"whenScaled": "Delete"}, **more})


def test_claims_of_what_is_held_are_kept_by_the_same_patch_that_takes_its_pods_away():
    running = stateful_set()
    stopped = held(running)
    assert merge_patch(running, stopped)["spec"] == {"replicas": 0, RETENTION: {"whenScaled": "Retain"}}
    assert merge_patch(stopped, let_go(stopped))["spec"] == {"replicas": 2, RETENTION: {"whenScaled": "Delete"}}
    assert wanted_replicas(stopped) == 2


def test_what_was_held_without_its_claims_is_held_with_them_and_knows_still_how_many_it_ran():
    halfway = stateful_set(replicas=0)
    halfway["metadata"]["annotations"] = {HELD: '{"spec.replicas": 2}'}
    stopped = held(halfway)
    assert stopped["spec"][RETENTION] == {"whenScaled": "Retain"}
    assert let_go(stopped) == stateful_set()


def test_a_note_copied_from_elsewhere_gives_no_claims_up():
    running = stateful_set(**{RETENTION: {"whenScaled": "Retain"}})
    noted = '{"spec.persistentVolumeClaimRetentionPolicy.whenScaled": "Delete", "spec.replicas": 9}'
    running["metadata"]["annotations"] = {HELD: noted}
    assert let_go(held(running))["spec"] == {"replicas": 2, RETENTION: {"whenScaled": "Retain"}}


def test_webhooks_that_their_operator_wrote_anew_while_they_were_held_stay_as_it_wrote_them():
    stopped = held(RUNNING[12])
    a, _, c = stopped["webhooks"]
    stopped["webhooks"] = [
        {"name": "new", "objectSelector": {"matchLabels": {"n": "1"}}},
        c,
        {**a, "objectSelector": {}},
    ]
    assert let_go(stopped)["webhooks"] == [
        {"name": "new", "objectSelector": {"matchLabels": {"n": "1"}}},
        {"name": "c", "objectSelector": {"matchLabels": {"x": "y"}}},
        {"name": "a", "objectSelector": {}},
    ]


def test_webhooks_of_which_one_was_written_anew_are_held_again_and_all_let_go_as_they_were():
    stopped = held(RUNNING[12])
    stopped["webhooks"][1] = {"name": "b", "objectSelector": {"matchLabels": {"b": "2"}}}
    again = held(stopped)
    assert [each["objectSelector"] for each in again["webhooks"]] == [NOBODY] * 3
    assert let_go(again)["webhooks"] == [
        {"name": "a", "objectSelector": {}},
        {"name": "b", "objectSelector": {"matchLabels": {"b": "2"}}},
        {"name": "c", "objectSelector": {"matchLabels": {"x": "y"}}},
    ]


def test_a_note_that_was_copied_from_elsewhere_does_not_keep_it_running():
    running = obj("apps/v1", "Deployment", spec={"replicas": 3})
    running["metadata"]["annotations"] = {HELD: '{"spec.replicas": 9}'}
    stopped = held(running)
    assert stopped["spec"]["replicas"] == 0
    assert let_go(stopped)["spec"]["replicas"] == 3


def test_how_many_it_runs_is_known_while_it_is_held():
    assert wanted_replicas(held(RUNNING[0])) == 3
    assert wanted_replicas(RUNNING[0]) == 3
    assert wanted_replicas(held(RUNNING[1])) == 1


@pytest.mark.parametrize("note", ["", "no json", "[]", '{"metadata.name": "other"}', '{"spec.template": {}}'])
def test_a_note_that_somebody_else_wrote_changes_nothing_but_what_holding_changes(note):
    forged = obj("apps/v1", "Deployment", spec={"replicas": 3})
    forged["metadata"]["annotations"] = {HELD: note, "mine": "1"}
    assert let_go(forged) == {
        **forged,
        "metadata": {"name": "it", "namespace": "shop", "annotations": {"mine": "1"}},
    }


@given(st.integers(0, 50), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_any_number_of_replicas_and_annotations_comes_back(replicas, annotations):
    running = obj("apps/v1", "Deployment", spec={"replicas": replicas})
    if annotations:
        running["metadata"]["annotations"] = annotations
    if HELD not in annotations:
        assert let_go(held(running)) == running
