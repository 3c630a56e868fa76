"""Errors are part of the interface: programs read the code, people the sentence."""

from uuid import UUID

import pytest

from accounts.errors import (
    Conflict,
    FieldError,
    InvalidInput,
    MarinaError,
    NotAllowed,
    NotFound,
    PreconditionFailed,
)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidInput("The name is taken.", field="name"), "invalid", 400),
        (NotAllowed("You may not do this."), "forbidden", 403),
        (NotFound("There is no such project."), "not-found", 404),
        (Conflict("It is being deleted."), "conflict", 409),
        (PreconditionFailed("It changed since."), "precondition-failed", 412),
    ],
)
def test_each_error_has_its_code_and_status(error: MarinaError, code: str, status: int) -> None:
    assert (error.code, error.status) == (code, status)
    assert str(error) == error.message


def test_an_invalid_input_without_a_list_still_names_its_field() -> None:
    error = InvalidInput("The name is too long.", field="name", accepted="at most 40 characters")
    assert error.errors == (
        FieldError(field="name", message="The name is too long.", accepted="at most 40 characters"),
    )


def test_an_invalid_input_may_carry_several_fields_and_speaks_with_the_first() -> None:
    error = InvalidInput.of(
        [FieldError(field="a", message="A is wrong."), FieldError(field="b", message="B is wrong.")]
    )
    assert (error.field, str(error)) == ("a", "A is wrong.")
    assert [found.field for found in error.errors] == ["a", "b"]


def test_a_conflict_names_the_operation_in_the_way() -> None:
    operation = UUID(int=7)
    error = Conflict("It is being upgraded.", "Wait for it.", operation_id=operation)
    assert (error.operation_id, error.hint) == (operation, "Wait for it.")


def test_an_error_may_be_given_a_narrower_code() -> None:
    assert NotAllowed("It takes the role admin.", code="role-needed").code == "role-needed"
    assert NotAllowed("It takes the role admin.").code == "forbidden"
