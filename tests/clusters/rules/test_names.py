"""Names and labels that Kubernetes would refuse are refused before anything is written."""

import re
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import InvalidInput
from clusters.names import (
    NAME_ACCEPTED,
    label_key_is_valid,
    label_value_is_valid,
    labels_validate,
    name_validate,
    namespace_for,
    release_for,
)

ID = UUID("01976c3a-2b1c-7d44-9f00-3a5b7c9d1e2f")


@pytest.mark.parametrize("name", ["a", "0", "hello", "a-b", "1a", "a--b", "a" * 40])
def test_a_label_of_up_to_40_characters_is_a_name(name: str) -> None:
    assert name_validate(name) == name


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "The name is empty."),
        ("a" * 41, "The name has 41 characters."),
        ("Hello", "The name holds the capital letter H."),
        ("a_b", "The name holds `_`."),
        ("a.b", "The name holds `.`."),
        ("hallö", "The name holds `ö`."),
        ("a b", "The name holds a blank or invisible character."),
        ("a\n", "The name holds a blank or invisible character."),
        ("-a", "The name begins or ends with a hyphen."),
        ("a-", "The name begins or ends with a hyphen."),
        ("-", "The name begins or ends with a hyphen."),
        (None, "The name is no text."),
        (7, "The name is no text."),
    ],
)
def test_another_text_is_refused_with_what_was_wrong_and_what_would_do(name: object, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        name_validate(name, "virtual_cluster.name")
    assert str(caught.value) == sentence
    assert (caught.value.field, caught.value.accepted) == ("virtual_cluster.name", NAME_ACCEPTED)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_what_is_taken_is_a_label_for_kubernetes(name: str) -> None:
    try:
        taken = name_validate(name)
    except InvalidInput:
        return
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", taken)
    assert len(taken) <= 40


@settings(deadline=None)
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True), st.uuids())
def test_every_name_gives_a_namespace_that_kubernetes_takes(name: str, id: UUID) -> None:  # noqa: A002
    namespace = namespace_for(name, id)
    assert namespace.startswith(f"marina-{name}-")
    assert name_validate(namespace, length_max=63) == namespace


def test_clusters_made_in_the_same_moment_get_different_namespaces() -> None:
    other = UUID(ID.hex[:16] + "9fff" + ID.hex[20:31] + "0")
    assert namespace_for("hello", ID) == "marina-hello-5b7c9d1e2f"
    assert namespace_for("hello", ID) != namespace_for("hello", other)


def test_a_name_that_is_too_long_for_a_namespace_is_shortened() -> None:
    namespace = namespace_for("a" * 44 + "-" + "b" * 20, ID)
    assert namespace == f"marina-{'a' * 44}-5b7c9d1e2f"
    assert len(namespace) <= 63


def test_a_release_begins_with_a_letter_because_its_service_must() -> None:
    assert (release_for("hello"), release_for("1st")) == ("hello", "v1st")


@pytest.mark.parametrize("key", ["team", "example.com/team", "a.b-c_D", "x" * 63, "e.f/" + "x" * 63])
def test_a_label_key_is_taken(key: str) -> None:
    assert label_key_is_valid(key)


@pytest.mark.parametrize(
    "key", ["", "/", "a/", "/a", "a/b/c", "Ex.com/a", "-a", "a-", "a b", "a\n", "x" * 64, "e..f/a", "a" * 254 + "/a", 3]
)
def test_another_text_is_no_label_key(key: object) -> None:
    assert not label_key_is_valid(key)


def test_a_label_value_may_be_empty_or_a_short_word() -> None:
    assert all(label_value_is_valid(value) for value in ("", "a", "A.b_c-D", "x" * 63))
    assert not any(label_value_is_valid(value) for value in ("-", "a ", "a\n", "x" * 64, "ü", None, 1))


def test_each_wrong_label_is_named_by_its_key() -> None:
    with pytest.raises(InvalidInput) as caught:
        labels_validate({"team": "a b", "good": "x", "-": "x"})
    assert [error.field for error in caught.value.errors] == ["labels.team", "labels.-"]


@pytest.mark.parametrize(
    "key", ["pod-security.kubernetes.io/enforce", "kubernetes.io/x", "vcluster.loft.sh/managed-by", "app.k8s.io/x"]
)
def test_labels_that_steer_the_system_are_not_for_users(key: str) -> None:
    with pytest.raises(InvalidInput, match="set by the system"):
        labels_validate({key: "privileged"})
    assert labels_validate({key: "x"}, reserved=()) == {key: "x"}


def test_a_prefix_that_only_looks_like_the_systems_is_taken() -> None:
    assert labels_validate({"mykubernetes.io/x": "1"}) == {"mykubernetes.io/x": "1"}


@pytest.mark.parametrize("labels", [["a"], "a", {str(n): "" for n in range(33)}])
def test_labels_are_a_mapping_of_limited_size(labels: object) -> None:
    with pytest.raises(InvalidInput):
        labels_validate(labels)  # type: ignore[arg-type]
