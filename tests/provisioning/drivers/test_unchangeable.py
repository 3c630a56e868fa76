"""What nobody may change of an object that is there is told from all else that is refused as invalid."""

import json
from typing import Any

import pytest

from provisioning.drivers.errors import InvalidError, response_error


def refused(message: str, *causes: str, status: int = 422) -> Any:
    details = {"causes": [{"reason": "FieldValueInvalid", "message": each} for each in causes]}
    body = json.dumps({"kind": "Status", "message": message, "reason": "Invalid", "details": details})
    return response_error(status, {}, body.encode(), target="its API")


UNCHANGEABLE = [
    'Job.batch "x" is invalid: spec.template: Invalid value: core.PodTemplateSpec{}: field is immutable',
    "StatefulSet.apps \"x\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas' "
    "are forbidden",
    'PersistentVolumeClaim "x" is invalid: spec: Forbidden: spec is immutable after creation except resources.requests',
    'PersistentVolumeClaim "x" is invalid: spec.resources.requests.storage: Forbidden: field can not be less than '
    "status.capacity",
    'RoleBinding.rbac.authorization.k8s.io "x" is invalid: roleRef: Invalid value: {}: cannot change roleRef',
    'Service "x" is invalid: spec.clusterIPs[0]: Invalid value: []string{"None"}: may not change once set',
    'PriorityClass.scheduling.k8s.io "x" is invalid: value: Forbidden: may not be changed in an update.',
    'StorageClass.storage.k8s.io "x" is invalid: parameters: Forbidden: updates to parameters are forbidden.',
    'ConfigMap "x" is invalid: data: Forbidden: field is immutable when `immutable` is set',
]
OTHERS = [
    'Pod "x" is invalid: spec.containers[0].image: Required value',
    "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: it is immutable",
    'admission webhook "a.b" denied the request: spec is immutable',
    "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
]


@pytest.mark.parametrize("message", UNCHANGEABLE)
def test_what_nobody_may_change_is_known_by_the_servers_words(message: str) -> None:
    assert refused(message).unchangeable


@pytest.mark.parametrize("message", OTHERS)
def test_what_is_wrong_and_what_a_policy_denies_is_not_taken_for_it(message: str) -> None:
    error = refused(message)
    assert isinstance(error, InvalidError)
    assert not error.unchangeable


def test_it_is_known_although_the_message_was_cut() -> None:
    long = 'Job.batch "x" is invalid: spec.template: Invalid value: ' + "core.PodTemplateSpec" * 500
    assert refused(long, "Invalid value: core.PodTemplateSpec{}: field is immutable").unchangeable


def test_only_what_is_refused_as_invalid_counts() -> None:
    assert not isinstance(refused("field is immutable", status=400), InvalidError)
