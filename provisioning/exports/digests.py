"""The digest of an object: the same where it was restored as it had been."""

import hashlib
import json
from typing import Final

from provisioning.drivers.kinds import Json

_OF_THE_SERVER: Final = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"}
)


def object_key(found: Json) -> str:
    """APIVERSION/KIND/NAMESPACE/NAME, as manifests name objects."""
    meta = found["metadata"]
    return f"{found['apiVersion']}/{found['kind']}/{meta.get('namespace', '')}/{meta['name']}"


def object_digest(found: Json) -> str:
    """SHA-256, in hex, of the object's canonical JSON without what a server writes by itself."""
    kept = {key: value for key, value in found.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in found["metadata"].items() if key not in _OF_THE_SERVER}
    text = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
