"""The generated documentation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from repstream.service.service import Service


@pytest.fixture
def document(http: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def references(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        own = {tree["$ref"]} if isinstance(tree.get("$ref"), str) else set()
        return own.union(*(references(part) for part in tree.values()))
    return set().union(*(references(part) for part in tree)) if isinstance(tree, list) else set()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {r.removeprefix("#/components/schemas/") for r in references(document)} <= set(schemas)


def test_every_route_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            if path.startswith("/api/v1/") and path not in ("/api/v1/directory", "/api/v1/engines"):
                assert operation["responses"]["409"]["content"]["application/json"]["schema"] == {
                    "$ref": "#/components/schemas/ErrorAnswer"
                }


def test_every_parameter_is_described_with_its_facts(document: dict[str, Any], service: Service) -> None:
    for parameter in service.catalogue.parameters.values():
        schema = document["x-parameters"][parameter.group][parameter.field]
        assert schema["description"] == parameter.text
        assert schema.get("minimum") == parameter.minimum
        assert schema.get("x-unit", "") == parameter.unit
        assert set(parameter.choices) <= set(schema.get("enum", ()))


def test_examples_of_bodies_are_taken_by_the_server(document: dict[str, Any], http: httpx.Client) -> None:
    schemas = document["components"]["schemas"]
    key, start = "/api/v1/parameters/streams.live.every_nth", "/api/v1/commands/writers.main.start"
    assert http.put(key, json=schemas["NewValue"]["examples"][0]).is_success
    assert http.patch("/api/v1/parameters", json=schemas["Changes"]["examples"][0]).is_success
    assert http.patch("/api/v1/config", json=schemas["Config"]["examples"][0]).is_success
    assert http.post(start, json={**schemas["CommandRequest"]["examples"][0], "wait": 0.1}).is_success
