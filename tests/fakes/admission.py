"""Admission policies, as far as Marina leans on them: those that refuse everything, but for users that they name."""

import re
from collections.abc import Iterator

from provisioning.drivers.kinds import VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING, Json, Kind
from tests.fakes.answers import Refusal, resource
from tests.fakes.store import Store

_POLICIES = (VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING)


def admission_require(store: Store, user: str, kind: Kind, name: str) -> None:
    """Refusal in the words of a policy that is bound. Policies do not guard themselves."""
    if kind in _POLICIES:
        return
    for policy, binding in _bound(store):
        excluded = [group for rule in _excluded(policy) for group in rule["apiGroups"] if rule["resources"] == ["*/*"]]
        if kind.group not in excluded and not _exempt(policy, user):
            said = policy["spec"]["validations"][0]["message"]
            by = f"ValidatingAdmissionPolicy '{policy['metadata']['name']}' with binding '{binding}'"
            raise Refusal(403, "Forbidden", f'{resource(kind)} "{name}" is forbidden: {by} denied request: {said}')


def _bound(store: Store) -> Iterator[tuple[Json, str]]:
    for binding in store.each(VALIDATING_ADMISSION_POLICY_BINDING):
        policy = store.find(VALIDATING_ADMISSION_POLICY, binding.value["spec"]["policyName"])
        if policy is not None:
            yield policy.value, binding.meta["name"]


def _excluded(policy: Json) -> list[Json]:
    rules: list[Json] = policy["spec"]["matchConstraints"].get("excludeResourceRules") or []
    return rules


def _exempt(policy: Json, user: str) -> bool:
    """By the names in its one condition, which is that the user is none of them and begins with none of these."""
    expression = policy["spec"]["matchConditions"][0]["expression"]
    beginnings = re.findall(r"startsWith\('([^']*)'\)", expression)
    names = set(re.findall(r"'([^']*)'", expression)) - set(beginnings)
    return user in names or user.startswith(tuple(beginnings))
