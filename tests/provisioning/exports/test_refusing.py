"""What a server says of an object that it refuses is told, and what the object holds is not."""

import pytest

from provisioning.exports.refusing import refusal_told

SECRET = "hunter2"
JOB = (
    'virtual cluster shop answered: Job.batch "migrate" is invalid: spec.template: Invalid value: '
    'core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:"", Labels:map[string]string{"a":"b: c"}}, Spec:core.PodSpec{'
    f'Env:[]core.EnvVar{{core.EnvVar{{Name:"PASSWORD", Value:"{SECRET}"}}}}}}}}: field is immutable'
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            JOB,
            'virtual cluster shop answered: Job.batch "migrate" is invalid: spec.template: Invalid value: '
            "[value removed]: field is immutable",
        ),
        (
            'Pod "x" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.tolerations`\n'
            f'core.PodSpec{{Env: [{{Value: "{SECRET}"}}]}}',
            'Pod "x" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.tolerations` ...',
        ),
        (
            'Service "x" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive',
            'Service "x" is invalid: spec.ports[0].port: Invalid value: [value removed]: must be between 1 and 65535, '
            "inclusive",
        ),
        (
            f'Gadget "x" is invalid: [spec.a: Invalid value: "{SECRET}: {SECRET}": is wrong, spec.b: Required value]',
            'Gadget "x" is invalid: [spec.a: Invalid value: [value removed]: Required value',
        ),
        (
            f'X is invalid: spec.a: Invalid value: "some: {SECRET}"',
            "X is invalid: spec.a: Invalid value: [value removed]",
        ),
        (
            f'X is invalid: spec.a: Duplicate value: "{SECRET}"',
            "X is invalid: spec.a: Duplicate value: [value removed]",
        ),
        (
            f'v1.Pod.Spec: ReadString: expects ", error found in #10 byte of ...|lue":{SECRET}|..., bigger context ...',
            'v1.Pod.Spec: ReadString: expects ", [value removed]',
        ),
        (
            f'X is invalid: spec.a: Invalid value: core.PodSpec{{Name: "a", Value: {SECRET} ...',  # cut by the driver
            "X is invalid: spec.a: Invalid value: [value removed]",
        ),
        ("x is forbidden: exceeded quota: most", "x is forbidden: exceeded quota: most"),
        ("", ""),
    ],
)
def test_the_field_and_the_reason_are_told_and_no_value(said, told):
    assert refusal_told(said) == told
    assert SECRET not in refusal_told(said)
