"""Issuers that give tokens to the whole world, and which of their claims tell whose a token is.

GitHub gives one to every job of every repository, and the audience is whatever the job asks for: a rule that names
only a branch, or `*/shop`, lets in everybody's. Sources: docs.github.com, "OpenID Connect reference";
docs.gitlab.com, "ID token authentication".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

_WHOLE: Final = r"[^*]+"
_OWNED: Final = r"[^*/]+/.*"
"""An owner that is written out, whatever stands behind it."""
_GITHUB_SUBJECT: Final = r"(repo|repository):[^*/]+/.*|repository_(id|owner|owner_id):[^*:]+(:.*)?"
# whose workflow is called (job_workflow_ref, ci_config_ref_uri) is not whose job calls it, so those tell nothing


@dataclass(frozen=True)
class PublicIssuer:
    """Of each claim that tells whose a token is, what a rule has to write out of it."""

    claims: Mapping[str, str]
    examples: str


PUBLIC_ISSUERS: Final[Mapping[str, PublicIssuer]] = MappingProxyType(
    {
        "https://token.actions.githubusercontent.com": PublicIssuer(
            claims=MappingProxyType(
                {
                    "repository": _OWNED,
                    "workflow_ref": _OWNED,
                    "sub": _GITHUB_SUBJECT,
                    **dict.fromkeys(("repository_id", "repository_owner", "repository_owner_id"), _WHOLE),
                    **dict.fromkeys(("enterprise", "enterprise_id"), _WHOLE),
                }
            ),
            examples="repository, repository_id or repository_owner, such as repository=acme/shop or repository=acme/*",
        ),
        "https://gitlab.com": PublicIssuer(
            claims=MappingProxyType(
                {
                    "project_path": _OWNED,
                    "namespace_path": r"[^*/]+(/.*)?",
                    "sub": r"project_path:[^*/]+/.*",
                    **dict.fromkeys(("project_id", "namespace_id", "user_id", "user_login", "user_email"), _WHOLE),
                }
            ),
            examples="project_path, project_id or namespace_path, such as project_path=acme/shop",
        ),
    }
)


def whose_missing(issuer: str, claims: Mapping[str, Any]) -> str:
    """Claims of which a rule needs one to tell whose tokens it lets in; empty where it has one.

    An issuer that is not public knows only one organization's people, as far as Marina can tell: nothing is missing.
    """
    public = PUBLIC_ISSUERS.get(issuer.rstrip("/"))
    if public is None or any(_tells(public, name, wanted) for name, wanted in claims.items()):
        return ""
    return public.examples


def _tells(public: PublicIssuer, name: str, wanted: Any) -> bool:
    pattern = public.claims.get(name)
    values = wanted if isinstance(wanted, list) else [wanted]
    return pattern is not None and all(re.fullmatch(pattern, str(each)) for each in values)
