"""A protected virtual cluster stays."""

from tests.commands import Marina
from tests.e2e.api import Api, Json


def test_a_protected_cluster_is_not_deleted_until_its_protection_is_taken_away(
    marina: Marina, developer: Api, shared: Json
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
