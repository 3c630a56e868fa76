"""What cannot be accepted is refused at once: the field, what was wrong with it, and what would be accepted.

The rules themselves are walked through in tests/clusters/rules; here each goes through the real API and command.
"""

import pytest

from tests.clusters.rules.kubeconfigs import kubeconfig_with
from tests.commands import Marina
from tests.conftest import TestHost
from tests.e2e.api import Api, Json

CLUSTER = "kubeconfig.clusters[east].cluster"
USER = "kubeconfig.users[admin].user"
KUBECONFIGS = {
    "no YAML": ("a: b: c", "kubeconfig"),
    "another kind": (kubeconfig_with(kind="Secret"), "kubeconfig.kind"),
    "no current context": (kubeconfig_with(current_context=None), "kubeconfig.current-context"),
    "a program": (kubeconfig_with(user={"exec": {"command": "login"}}), f"{USER}.exec"),
    "an auth provider": (kubeconfig_with(user={"auth-provider": {"name": "gcp"}}), f"{USER}.auth-provider"),
    "a token file": (kubeconfig_with(user={"tokenFile": "/var/run/token"}), f"{USER}.tokenFile"),
    "a certificate file": (kubeconfig_with(user={"client-certificate": "/c.pem"}), f"{USER}.client-certificate"),
    "a key file": (kubeconfig_with(user={"client-key": "/k.pem"}), f"{USER}.client-key"),
    "a CA file": (kubeconfig_with(cluster={"certificate-authority": "/ca.pem"}), f"{CLUSTER}.certificate-authority"),
    "several documents": (kubeconfig_with() + "---\n" + kubeconfig_with(), "kubeconfig"),
    "a key twice": (kubeconfig_with() + "kind: Config\n", "kubeconfig"),
    "over 1 MiB": (kubeconfig_with() + "# " + "x" * 1024 * 1024, "kubeconfig"),
    "no https": (kubeconfig_with(cluster={"server": "http://east.example"}), f"{CLUSTER}.server"),
    "no verification": (
        kubeconfig_with(cluster={"insecure-skip-tls-verify": True}),
        f"{CLUSTER}.insecure-skip-tls-verify",
    ),
}


@pytest.mark.parametrize(("text", "field"), KUBECONFIGS.values(), ids=KUBECONFIGS)
def test_a_kubeconfig_is_refused_by_its_field_and_nothing_is_written(staff: Api, text: str, field: str) -> None:
    before = [host["name"] for host in staff.list("/host-clusters")]
    told = staff.refused("POST", "/host-clusters", {"name": "refused", "kubeconfig": text}, field)
    assert told["message"]
    assert [host["name"] for host in staff.list("/host-clusters")] == before


@pytest.mark.parametrize(
    ("body", "field", "message", "accepted"),
    [
        ({"name": "Hello_World"}, "name", "the capital letter H", "1 to 40 lower-case letters"),
        ({"name": "x" * 41}, "name", "has 41 characters", "1 to 40 lower-case letters"),
        ({"name": "shared"}, "name", "already has a virtual cluster named shared", "a name not in use there"),
        ({"spec": {"kubernetes_version": "1.12.0"}}, "spec.kubernetes_version", "does not offer", "1.36.3"),
        (
            {"spec": {"values": {"controlPlane": {"coredns": {"enabled": "perhaps"}}}}},
            "spec.values.controlPlane.coredns.enabled",
            "",
            "",
        ),
        (
            {"spec": {"values": {"rbac": {"clusterRole": {"enabled": True}}}}},
            "spec.values.rbac.clusterRole.enabled",
            "Only platform staff may set this. It decides what the control plane may do on the host.",
            "sync.toHost.configMaps.all",
        ),
    ],
    ids=["a malformed name", "a long name", "a taken name", "an unknown version", "a wrong value", "staff's value"],
)
def test_a_wish_for_a_cluster_is_refused_by_its_field_and_nothing_is_written(
    developer: Api,
    shared: Json,
    home: TestHost,
    project: str,
    body: Json,
    field: str,
    message: str,
    accepted: str,
) -> None:
    wish = {"name": "refused", "project": project, "host": home.name, **body}
    told = developer.refused("POST", "/virtual-clusters", wish, field)
    assert message in told["message"]
    assert accepted in told["accepted"]
    assert developer.list("/virtual-clusters", name="refused") == []


@pytest.mark.localkube
def test_a_version_that_the_host_cannot_run_is_refused_with_the_reason(
    developer: Api, least: TestHost, project: str
) -> None:
    wish = {"name": "refused", "project": project, "host": "least", "spec": {"kubernetes_version": "1.33.9"}}
    told = developer.refused("POST", "/virtual-clusters", wish, "spec.kubernetes_version")
    assert "least: Kubernetes 1.33.9 cannot run on this host, which has 1.36." in told["message"]


def test_the_command_shows_field_fault_and_what_would_be_accepted(marina: Marina, home: TestHost) -> None:
    said = marina("create", "Hello_World", "--host", home.name, exit_code=1).stderr
    assert "Error: The name holds the capital letter H" in said
    assert "Field name. Accepted: 1 to 40 lower-case letters" in said
