"""What Marina reads of releases, whoever made them."""

import pytest
import yaml

from provisioning.engine.errors import PermanentError, StepError
from tests.provisioning.drivers.conftest import CHART


def test_a_revision_tells_its_values_and_its_manifest(helm_client, namespace):
    helm = helm_client()
    helm.upgrade_install("x", CHART, namespace, {"greeting": "one"}, 60)
    helm.upgrade_install("x", CHART, namespace, {}, 60)
    assert helm.values("x", namespace, revision=1) == {"greeting": "one"}
    assert helm.values("x", namespace, revision=2) == {}
    everything = helm.values("x", namespace, revision=1, everything=True)
    assert everything == {"greeting": "one", "replicas": 0, "hook": False}
    assert greetings(helm.manifest("x", namespace, revision=1)) == ["one"]
    assert greetings(helm.manifest("x", namespace, revision=2)) == ["hello"]
    with pytest.raises(StepError) as raised:
        helm.values("x", namespace, revision=9)
    assert "not found" in raised.value.message


def test_what_an_upgrade_would_make_is_rendered_and_nothing_is_changed(helm_client, namespace):
    helm = helm_client()
    text = helm.render("x", CHART, namespace, {"greeting": "two"}, kubernetes_version="1.36.3")
    assert greetings(text) == ["two"]
    assert helm.history("x", namespace) == []
    with pytest.raises(PermanentError) as raised:
        helm.render("x", CHART, namespace, {"bogus": 1}, kubernetes_version="1.36.3")
    assert raised.value.code == "values"


def greetings(manifest: str) -> list[str]:
    """Of the ConfigMaps in it."""
    found = [each for each in yaml.safe_load_all(manifest) if each]
    assert {each["kind"] for each in found} == {"ConfigMap", "Deployment"}
    return [each["data"]["greeting"] for each in found if each["kind"] == "ConfigMap"]
