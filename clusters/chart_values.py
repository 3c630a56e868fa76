"""The values of vcluster's chart: checked when somebody gives some, and put together for helm.

Helm always gets all of them, merged in one order, where what comes later wins: the chart's defaults (which helm itself
adds) < Marina's settings < the host's values < the spec's values < what Marina must own.
"""

import copy
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.errors import FieldError, InvalidInput
from clusters.chart_rules import OWNED_KEYS, STAFF_KEYS, STAFF_REASON, SYNCED_KINDS, USER_KEYS, KeyRule
from clusters.chart_schema import PathPart, path_render, schema_faults
from clusters.chart_wish import HostCapabilities, ImageSettings, ReleaseWish

SIZE_MAX = 64 * 1024
"""Bytes of the values as JSON."""

DEPTH_MAX = 20
FAULTS_SHOWN_MAX = 20


@dataclass(frozen=True)
class NotSynced:
    """A kind that stays inside the virtual cluster, and what that means."""

    kind: str
    reason: str


def values_render(
    wish: ReleaseWish,
    *,
    images: ImageSettings,
    capabilities: HostCapabilities,
    host_values: Mapping[str, Any],
    spec_values: Mapping[str, Any],
) -> dict[str, Any]:
    """The values for helm, all layers merged. The arguments are not changed."""
    merged = values_merge(_settings_values(images, capabilities), host_values, spec_values)
    names = _value_at(merged, ("controlPlane", "proxy", "extraSANs"))
    return values_merge(
        merged, _owned_values(wish, images, capabilities, names=names if isinstance(names, list) else [])
    )


def values_merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key, everything else (lists too) is replaced by the later layer, as helm does it."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = merged.get(key)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            merged[key] = values_merge(below, value) if both else copy.deepcopy(value)  # type: ignore[arg-type]
    return merged


def _settings_values(images: ImageSettings, capabilities: HostCapabilities) -> dict[str, Any]:
    """What an installation of Marina decides for all hosts; a host with a mirror of its own may say otherwise."""
    control_plane: dict[str, Any] = {
        "statefulSet": {"image": _present(registry=images.vcluster_registry, repository=images.vcluster_repository)},
        "distro": {
            "k8s": {"image": _present(registry=images.kubernetes_registry, repository=images.kubernetes_repository)}
        },
    }
    if images.coredns:
        control_plane["coredns"] = {"deployment": {"image": images.coredns}}
    if images.default_registry:
        control_plane["advanced"] = {"defaultImageRegistry": images.default_registry}
    on = {key: {"enabled": True} for key, has in capabilities.synced().items() if has}
    return {"controlPlane": control_plane, "sync": {"toHost": on}}


def _owned_values(
    wish: ReleaseWish, images: ImageSettings, capabilities: HostCapabilities, *, names: Sequence[str]
) -> dict[str, Any]:
    """What Marina's promises hang on."""
    off = {key: {"enabled": False} for key, has in capabilities.synced().items() if not has}
    return {
        "controlPlane": {
            "distro": {"k8s": {"image": {"tag": wish.kubernetes_version.tag}}},
            "statefulSet": {
                "image": {"tag": images.vcluster_tag or wish.chart_version},
                "highAvailability": {"replicas": wish.replicas},
                "resources": wish.size.control_plane.as_resources(),
            },
            "service": {"spec": {"type": "LoadBalancer" if wish.load_balancer else "ClusterIP"}},
            **_certificate_names(wish, names),
        },
        "sync": {
            "toHost": off,
            # Syncing ingress classes would make the chart ask for a ClusterRole, and the least-privileged account
            # holds no right to make one. Marina copies the IngressClass objects into the virtual cluster itself.
            "fromHost": {"ingressClasses": {"enabled": False}},
        },
        "telemetry": {"enabled": False},
    }


def _certificate_names(wish: ReleaseWish, names: Sequence[str]) -> dict[str, Any]:
    """Marina's names after those of the other layers: a list is replaced in the merge, and none may be lost."""
    together = list(dict.fromkeys([*names, *wish.extra_sans]))
    return {"proxy": {"extraSANs": together}} if together else {}


def _present(**values: str) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}


def not_synced(values: Mapping[str, Any]) -> tuple[NotSynced, ...]:
    """The kinds that stay inside a virtual cluster with these (merged) values."""
    found = []
    for synced in SYNCED_KINDS:
        enabled = _value_at(values, ("sync", "toHost", synced.key, "enabled"))
        if not (synced.default if enabled is None else enabled):
            found.append(NotSynced(synced.kind, synced.reason))
    return tuple(found)


def _value_at(values: object, path: Sequence[str]) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def values_check(
    values: Mapping[str, Any], *, schema: Mapping[str, Any], acting_staff: bool, field: str = "spec.values"
) -> None:
    """Raises InvalidInput that names every refused key by its full path, why, and what would be accepted.

    `schema` is the chart's; an empty one (not yet fetched) leaves types to helm, but users' keys are checked anyway.
    """
    _form_check(values, field=field)
    faults = list(schema_faults(values, schema=schema, field=field)) or list(_key_faults(values, acting_staff, field))
    if faults:
        raise InvalidInput.of(faults[:FAULTS_SHOWN_MAX])


def _form_check(values: object, *, field: str) -> None:
    """A mapping that is JSON, of limited size: everything after this may walk through it without care."""
    accepted = f"a mapping of at most {SIZE_MAX // 1024} KiB as JSON, nested at most {DEPTH_MAX} deep"
    try:
        fits = isinstance(values, Mapping) and _is_json(values) and len(json.dumps(values)) <= SIZE_MAX
    except (TypeError, ValueError, RecursionError):
        fits = False
    if not fits:
        raise InvalidInput("The values are no mapping, or too large or too deep.", field=field, accepted=accepted)


def _is_json(value: object, depth: int = 0) -> bool:
    if isinstance(value, Mapping):
        return depth < DEPTH_MAX and all(_is_text(k) and _is_json(v, depth + 1) for k, v in value.items())
    if isinstance(value, list):
        return depth < DEPTH_MAX and all(_is_json(each, depth + 1) for each in value)
    if isinstance(value, str):
        return _is_text(value)
    return value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: object) -> bool:
    """PostgreSQL keeps neither NUL nor half a surrogate pair, both of which JSON can spell."""
    return isinstance(value, str) and "\0" not in value and value == value.encode("utf-8", "ignore").decode()


def _key_faults(values: Mapping[str, Any], acting_staff: bool, field: str) -> Iterator[FieldError]:
    for path, value in _leaves(values, ()):
        place = path_render(field, path)
        owned = _rule_for(path, OWNED_KEYS)
        if owned:
            yield FieldError(field=place, message=owned.reason, accepted="leave it out")
        elif not acting_staff:
            yield from _user_faults(path, value, place)


def _user_faults(path: Sequence[str], value: object, place: str) -> Iterator[FieldError]:
    if not _for_users(path, value):
        rule = _rule_for(path, STAFF_KEYS)
        message = f"Only platform staff may set this. {rule.reason if rule else STAFF_REASON}"
        yield FieldError(field=place, message=message, accepted=f"these keys and what is below: {', '.join(USER_KEYS)}")
    elif value is None:
        # Helm takes null as "forget what was set before", the host's values and the chart's defaults alike.
        yield FieldError(field=place, message="A value is missing here.", accepted="a value, or leave the key out")


def _for_users(path: Sequence[str], value: object) -> bool:
    allowed = [tuple(key.split(".")) for key in USER_KEYS]
    below = any(tuple(path[: len(key)]) == key for key in allowed)
    # An empty mapping above an allowed key says nothing at all.
    return below or (value == {} and any(key[: len(path)] == tuple(path) for key in allowed))


def _rule_for(path: Sequence[PathPart], rules: Iterable[KeyRule]) -> KeyRule | None:
    """The rule with the longest path that `path` is at or below."""
    fitting = [rule for rule in rules if tuple(path[: len(rule.parts)]) == rule.parts]
    return max(fitting, key=lambda rule: len(rule.parts), default=None)


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every key whose value is no filled mapping. Lists are leaves: no rule looks into one."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
