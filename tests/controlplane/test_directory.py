"""Who begins with a bare address is led on."""

import pytest
from django.test import Client


@pytest.fixture
def client(db) -> Client:
    return Client()


def test_the_bare_address_leads_strangers_to_the_sign_in_page(client):
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in")


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/"])
def test_the_apis_bare_address_names_its_document_its_pages_and_every_noun(client, path):
    links = client.get(path).json()
    document = client.get(links["openapi"]).json()
    nouns = {path for path in document["paths"] if path.count("/") == 3}
    named = {link.removeprefix("http://testserver") for link in links.values()}
    assert named == nouns | {"/api/v1/openapi.json", "/api/v1/docs"}
    assert client.get(links["docs"]).status_code == 200
