"""Taking a virtual cluster away: protected ones stay, others go without a trace, and a name brings nothing back."""

from collections.abc import Callable

from tests.commands import Kubectl, Marina
from tests.conftest import TestHost
from tests.e2e.api import Api


def test_a_protected_cluster_is_not_deleted_until_its_protection_is_taken_away(
    marina: Marina, developer: Api, shared: dict
) -> None:
    marina("protect", "shared")
    refused = marina("delete", "shared", "--yes", exit_code=5)
    assert "is protected from deletion" in refused.stderr
    assert "marina unprotect shared" in refused.stderr
    problem = developer("DELETE", f"/virtual-clusters/{shared['id']}", status=409)
    assert problem["code"] == "protected"
    assert developer.cluster("shared")["phase"] == "Ready"
    marina("unprotect", "shared")
    assert not developer.cluster("shared")["deletion_protection"]


def test_a_name_used_again_does_not_revive_what_was_there(
    marina: Marina, developer: Api, home: TestHost, project: str, inside_of: Callable[[str], Kubectl]
) -> None:
    first = _made(developer, home, project)
    inside_of("again")("create", "namespace", "keepsake")
    developer.ended(developer.delete("again"), seconds=240)

    second = _made(developer, home, project)
    assert second["id"] != first["id"]
    assert second["placement"]["namespace"] != first["placement"]["namespace"]
    assert "keepsake" not in inside_of("again")("get", "namespaces", "-o", "name").stdout
    developer.ended(developer.delete("again"), seconds=240)


def _made(developer: Api, home: TestHost, project: str) -> dict:
    developer.ended(developer.create("again", project=project, host=home.name), seconds=240)
    return developer.cluster("again")
