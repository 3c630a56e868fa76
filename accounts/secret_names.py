"""How secrets look, so that none gets where it does not belong, whoever passes one by mistake."""

import re
from collections.abc import Mapping
from typing import Any, Final

SECRET_NAMES: Final = frozenset(
    {"token", "password", "secret", "kubeconfig", "authorization", "credential", "client_key", "private_key", "sealed"}
)
"""Names whose values belong neither in a log nor in an audit row."""

REMOVED: Final = "[not written down]"

# a token of Marina (its prefix is no secret), and a JSON web token, as Kubernetes' tokens and the gateway's are
_TOKEN: Final = re.compile(r"\b(m(?:ar|gs)_[a-z0-9]{8})_[A-Za-z0-9_-]{20,}")
_WEB_TOKEN: Final = re.compile(r"\b(?:mgt_)?eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def secrets_removed(value: Any) -> Any:
    """The same JSON without the values of keys that name a secret, and without tokens in its texts."""
    match value:
        case Mapping():
            return {
                str(key): REMOVED if str(key).lower() in SECRET_NAMES else secrets_removed(each)
                for key, each in value.items()
            }
        case list() | tuple():
            return [secrets_removed(each) for each in value]
        case str():
            return _WEB_TOKEN.sub(REMOVED, _TOKEN.sub(rf"\1_{REMOVED}", value))
    return value
