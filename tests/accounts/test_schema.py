"""The OpenAPI document: made without a warning, and served with pages that need nothing from outside."""

import re

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from jsonschema import Draft202012Validator, FormatChecker
from rest_framework.test import APIClient

from accounts.api.document import document_faults, operations_of
from tests.routes import routes


def test_the_document_is_made_without_a_warning(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yml"))


@pytest.fixture
def document(db):
    return APIClient().get("/api/v1/openapi.json").json()


def test_every_operation_has_an_id_a_description_examples_and_its_refusals(document):
    assert list(document_faults(document)) == []
    for label, operation in operations_of(document):
        method = label.split()[0]
        assert not operation["summary"].endswith("."), label
        refusals = {code for code in operation["responses"] if code[0] in "45"}
        assert {"400", "401", "406", "429"} <= refusals, label
        assert ("415" in refusals) == (method in ("POST", "PUT", "PATCH")), label
        for code in refusals:
            assert list(operation["responses"][code]["content"]) == ["application/problem+json"], label


def test_what_is_missing_is_found():
    answer = {"description": "OK", "content": {"application/json": {"schema": {}}}}
    bare = {"operationId": "x", "responses": {"200": answer}}
    faults = " ".join(document_faults({"paths": {"/a": {"get": bare, "post": bare}}}))
    for word in ("operationId", "summary", "description", "400", "429", "no example"):
        assert word in faults, word


def test_every_example_fits_its_schema(document):
    checked = 0
    for label, operation in operations_of(document):
        contents = [*operation.get("requestBody", {}).get("content", {}).items()]
        for answer in operation["responses"].values():
            contents += answer.get("content", {}).items()
        for kind, content in contents:
            if "example" not in content or kind != "application/json":
                continue
            validator = Draft202012Validator(
                {**content["schema"], "components": document["components"]}, format_checker=FormatChecker()
            )
            errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content["example"])]
            assert errors == [], label
            checked += 1
    assert checked > 50


def test_every_address_that_is_served_is_in_the_document(document):
    told = {
        (label.split()[0], re.sub(r"\{\w+\}", "{}", label.split("/api/v1/")[1])) for label, _ in operations_of(document)
    }
    served = {(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in routes()}
    assert served - told == {("GET", ""), ("GET", "docs"), ("GET", "openapi.json")}


def test_the_committed_document_is_the_one_served(document):
    call_command("render_openapi", "--check")


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
    text = page.content.decode()
    assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z0-9.-]+", re.sub(r"//\s.*", "", text)) == []
    for asset in re.findall(r'(?:src|href)="([^"]+)"', text):
        name = asset.removeprefix("/static/")
        assert asset.startswith("/static/"), asset
        assert finders.find(name), f"{asset} is served from here"
