"""What the OpenAPI document and /options promise is so."""

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient


@pytest.fixture
def document(db):
    return APIClient().get("/api/v1/openapi.json").json()


def test_the_document_is_made_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yml"))


def test_every_operation_and_every_parameter_of_a_list_is_described(document):
    ours = ("host-clusters", "virtual-clusters", "operations", "options")
    nouns = [path for path in document["paths"] if path.split("/")[3] in ours]
    assert len(nouns) >= 11
    for path in nouns:
        for method, operation in document["paths"][path].items():
            assert operation.get("description", "").strip().endswith("."), f"{method} {path}"


def test_work_is_told_as_202_with_the_operation_and_the_object(document):
    paths = document["paths"]
    for path, method, noun in (
        ("/api/v1/virtual-clusters", "post", "virtual_cluster"),
        ("/api/v1/virtual-clusters/{id}", "delete", "virtual_cluster"),
        ("/api/v1/host-clusters", "post", "host_cluster"),
        ("/api/v1/host-clusters/{id}/credential", "put", "host_cluster"),
    ):
        schema = paths[path][method]["responses"]["202"]["content"]["application/json"]["schema"]
        name = schema["$ref"].rpartition("/")[2]
        assert set(document["components"]["schemas"][name]["required"]) == {"operation", noun}
    assert "410" in paths["/api/v1/operations/{id}/sealed-result"]["get"]["responses"]
    assert "200" in paths["/api/v1/virtual-clusters/{id}"]["delete"]["responses"], "where one is under way"


def test_options_tell_what_can_be_chosen(dan, settings):
    body = dan.get("/api/v1/options").json()
    assert body["kubernetes_versions"] == ["1.36.3", "1.35.4"]
    assert body["default_kubernetes_version"] == "1.36.3"
    assert body["chart_version"] == settings.CHART_VERSION
    assert body["chart_version"] in body["chart_versions"]
    assert [size["name"] for size in body["sizes"]] == ["small", "medium", "large"]
    assert all("CPU cores" in size["description"] for size in body["sizes"])
    assert body["exposures"] == ["None", "LoadBalancer", "Local"]
    assert body["kubeconfig_expiry"] == {"minimum": 600, "default": 3600, "maximum": 86400}


def test_options_are_for_who_signed_in(db):
    assert APIClient().get("/api/v1/options").status_code == 401
