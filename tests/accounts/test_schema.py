"""The OpenAPI document: made without a warning, and served with pages that need nothing from outside."""

import re

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient


def test_the_document_is_made_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yml"))


@pytest.fixture
def document(db):
    return APIClient().get("/api/v1/openapi.json").json()


def test_every_operation_has_an_id_a_description_and_its_refusals(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["operationId"], where
            assert operation.get("description"), where
            assert operation.get("summary"), where
            assert "." not in operation["summary"][-1:], where
            assert ("415" in operation["responses"]) == (method in ("post", "put", "patch")), where
            refusals = [code for code in operation["responses"] if code[0] in "45"]
            assert {"400", "401"} <= set(refusals), where
            for code in refusals:
                assert "application/problem+json" in operation["responses"][code]["content"], where


def test_summaries_tell_the_operations_of_a_path_apart(document):
    summaries = [operation["summary"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(set(summaries)) == len(summaries)


def test_a_password_is_named_only_where_a_token_is_made(document):
    with_password = [
        (path, method)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if {"password": []} in operation["security"]
    ]
    assert with_password == [("/api/v1/access-tokens", "post")]


def test_the_pages_of_the_document_load_nothing_from_outside(db):
    page = APIClient().get("/api/v1/docs")
    assert page.status_code == 200
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page.content.decode()) == []
