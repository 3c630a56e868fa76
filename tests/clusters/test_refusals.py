"""A refusal names the field, says once what is wrong, and says what would be accepted."""

import pytest

from clusters.models import HostPhase, OperationKind, OperationState, VirtualClusterPhase
from tests.accounts.conftest import signed_in


@pytest.fixture
def staff(world):
    return signed_in(world.staff)


def refused(answer) -> list[dict[str, str]]:
    assert answer.status_code == 400, answer.content
    errors: list[dict[str, str]] = answer.json()["errors"]
    return errors


@pytest.mark.parametrize(
    ("noun", "parameter", "choices"),
    [
        ("host-clusters", "phase", HostPhase),
        ("virtual-clusters", "phase", VirtualClusterPhase),
        ("operations", "state", OperationState),
        ("operations", "kind", OperationKind),
    ],
)
def test_a_filters_unknown_choice_is_answered_with_the_choices(staff, noun, parameter, choices):
    accepted = f"one of: {', '.join(choices.values)}"
    errors = refused(staff.get(f"/api/v1/{noun}?{parameter}=Foo"))
    assert errors == [{"field": parameter, "message": f"There is no {parameter} Foo.", "accepted": accepted}]


def test_a_filter_that_takes_an_id_says_so(staff):
    (error,) = refused(staff.get("/api/v1/operations?virtual_cluster=mine"))
    assert (error["field"], error["accepted"]) == ("virtual_cluster", "an id (UUID)")


def test_an_empty_kubeconfig_is_told_as_that(staff):
    errors = refused(staff.post("/api/v1/host-clusters", {"name": "east", "kubeconfig": ""}, format="json"))
    assert [(error["field"], error["message"]) for error in errors] == [("kubeconfig", "The kubeconfig is empty.")]
    assert "kind: Config" in errors[0]["accepted"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a" * 41, "The name has 41 characters."),
        ("Here", "The name holds the capital letter H."),
        ("here-", "The name begins or ends with a hyphen."),
        ("he\0re", "The name holds a blank or invisible character."),
    ],
)
def test_a_wrong_name_is_told_once(staff, name, message):
    errors = refused(staff.post("/api/v1/host-clusters", {"name": name, "kubeconfig": "x"}, format="json"))
    assert [(error["field"], error["message"]) for error in errors] == [("name", message)]
