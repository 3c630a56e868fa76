"""How one gets to a virtual cluster whose API is published nowhere."""

from __future__ import annotations

from marina_cli.text import Json, word

PORT = 8443
NOT_UP = ("Pending", "Provisioning", "Failed", "Deleting", "Deleted")


def is_unpublished(item: Json) -> bool:
    """Whether a virtual cluster has no published address, and will not get one by waiting."""
    placement = item.get("placement") or {}
    return bool(placement) and not placement.get("endpoint") and item.get("phase") not in NOT_UP


def why_unpublished(item: Json) -> str:
    """That it has no published address, and why where the exposure is the reason."""
    none = (item.get("spec") or {}).get("exposure") in (None, "", "None")
    return f"{word(item.get('name'))} has no published address" + (": its exposure is None." if none else " yet.")


def way_without_address(item: Json) -> str:
    """What to type, with access to the host, to get to a cluster without a published address."""
    placement = item.get("placement") or {}
    forward = f"port-forward pod/{word(placement.get('release'))}-0 {PORT}"
    return (
        f"Open a way with `kubectl --context HOST -n {word(placement.get('namespace'))} {forward}`, HOST being your "
        f"context of the host {word(placement.get('host'))}, then say "
        f"`marina kubeconfig {word(item.get('name'))} --direct --server https://127.0.0.1:{PORT}`; "
        "or give --server URL with another address that leads there."
    )
