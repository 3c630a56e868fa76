"""What a digest tells and what it does not: every field of every sample is changed, and the table decides."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.drivers.kinds import Json
from provisioning.exports.digests import (
    BUILT_IN,
    BUILT_IN_GROUPS,
    CUSTOM,
    DIGEST_LEAVES_OUT,
    EVERY,
    LeftOut,
    differing_paths,
    object_digest,
    sendable,
)
from tests.provisioning.exports.samples import SAMPLES, obj

Where = tuple[str | int, ...]


def leaves(value: Any, where: Where = ()) -> Iterator[Where]:
    """The place of every field that holds no other; empty mappings and lists are such."""
    children = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not children:
        yield where
    for key, inner in children:
        yield from leaves(inner, (*where, key))


def at(value: Any, where: Where) -> Any:
    for key in where:
        value = value[key]
    return value


def changed(sample: Json, where: Where) -> Json:
    """The same with another value there."""
    other = copy.deepcopy(sample)
    holder, value = at(other, where[:-1]), at(sample, where)
    holder[where[-1]] = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int) else "another"
    return other


def left_out(sample: Json, where: Where) -> bool:
    """Whether the table names it, read off it here once more and in the simplest way."""
    group = sample["apiVersion"].rpartition("/")[0]
    kinds = {EVERY, BUILT_IN if group in BUILT_IN_GROUPS else CUSTOM, f"{sample['kind']}.{group}".rstrip(".")}
    return any(rule.kind in kinds and _names(rule, sample, where) for rule in DIGEST_LEAVES_OUT)


def _names(rule: LeftOut, sample: Json, where: Where) -> bool:
    for end in range(1, len(where) + 1):
        place = where[:end]
        if _fits(rule.path, place):
            holder, value = at(sample, place[:-1]), at(sample, place)
            known = not rule.only or value in rule.only
            if known and value not in rule.unless and all(key in holder for key in rule.beside):
                return True
    return False


def _fits(path: tuple[str, ...], place: Where) -> bool:
    if path[0] == "**":
        return path[1:] == place[-1:] and not {"data", "labels"} & set(place)  # where people name things as they like
    return len(path) == len(place) and all(want in ("*", got) for want, got in zip(path, place, strict=True))


CASES = [
    pytest.param(sample, where, id=f"{sample['kind']}-{sample['metadata']['name']}-{'.'.join(map(str, where))}")
    for sample in SAMPLES
    for where in leaves(sample)
    if where not in (("apiVersion",), ("kind",))
]


@pytest.mark.parametrize(("sample", "where"), CASES)
def test_a_changed_field_is_told_unless_the_table_leaves_it_out(sample: Json, where: Where) -> None:
    same = object_digest(sample) == object_digest(changed(sample, where))
    only = [rule for rule in DIGEST_LEAVES_OUT if rule.only and _names(rule, sample, where)]
    if only:  # left out with one value only: another one is told
        assert not same
    else:
        assert same == left_out(sample, where)


@pytest.mark.parametrize(("sample", "where"), CASES)
def test_a_removed_field_is_told_unless_the_table_leaves_it_out(sample: Json, where: Where) -> None:
    other = copy.deepcopy(sample)
    del at(other, where[:-1])[where[-1]]
    # of a mapping that is left out with one value only, a part is another value
    part = any(rule.only and _names(rule, sample, where) and len(rule.path) < len(where) for rule in DIGEST_LEAVES_OUT)
    untold = left_out(sample, where) and not part
    assert (object_digest(sample) == object_digest(other)) == untold
    assert bool(differing_paths(sample, other)) != untold


def test_every_line_of_the_table_says_why_and_names_a_field_of_some_sample_or_kind() -> None:
    assert all(rule.reason and rule.path for rule in DIGEST_LEAVES_OUT)
    keys = [(rule.kind, rule.path) for rule in DIGEST_LEAVES_OUT]
    assert len(keys) == len(set(keys))


def test_kind_and_version_are_told() -> None:
    one = obj("v1", "ConfigMap", "a", "b", data={"x": "y"})
    assert object_digest(one) != object_digest({**one, "kind": "Secret"})
    assert object_digest(one) != object_digest({**one, "apiVersion": "v2"})


def test_a_custom_kind_that_is_called_as_a_built_in_one_is_not_taken_for_it() -> None:
    one = obj("serving.knative.dev/v1", "Service", "a", "b", spec={"clusterIP": "1"}, status={"url": "x"})
    assert object_digest(one) != object_digest({**one, "spec": {"clusterIP": "2"}})
    assert object_digest(one) != object_digest({**one, "status": {"url": "y"}})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample['kind']}-{sample['metadata']['name']}")
def test_what_can_be_sent_counts_the_same_and_the_object_stays_as_it_was(sample: Json) -> None:
    before = copy.deepcopy(sample)
    sent = sendable(sample)
    assert sample == before
    assert object_digest(sent) == object_digest(sample)
    assert not {"uid", "resourceVersion", "managedFields"} & sent["metadata"].keys()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(spec=st.dictionaries(st.text(max_size=5), _JSON, max_size=4), other=_JSON)
def test_whatever_a_custom_resource_holds_counts(spec: Json, other: Any) -> None:
    one = obj("example.com/v1", "Gadget", "a", "b", spec=spec)
    assert object_digest(one) == object_digest(copy.deepcopy(one))
    more = {**spec, "added": other}
    if "added" not in spec:
        assert object_digest(one) != object_digest({**one, "spec": more})
