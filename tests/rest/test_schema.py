"""Requests made at random from the API's own OpenAPI document: each is answered as that document says.

What is not checked: that every value which fits the document is taken (texts such as addresses have rules of
their own), and requests without a token, which have tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from repstream_http import HttpServer, create_app
from repstream_http.guard import Guard
from tests.fakes import running_service

READ, CHANGE = "reading-token", "changing-token"
BEARER = {"authorization": f"Bearer {CHANGE}"}
GUARDS = {"open": Guard(), "tokens": Guard(read_token=READ, change_token=CHANGE)}
ENDLESS = r"changes|events|stream|mjpeg|live"
"""Answers that go on until the client leaves."""


@pytest.fixture(scope="module", params=GUARDS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    with (
        running_service(tmp_path_factory.mktemp("files")) as (service, _),
        HttpServer(create_app({"test": service}, GUARDS[request.param]), port=0) as server,
    ):
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", headers=BEARER)
        yield schema.exclude(path_regex=ENDLESS)


def test_every_answer_is_one_that_is_documented(api: BaseSchema) -> None:
    tried = list[str]()
    for found in api.get_all_operations():
        operation = found.ok()

        @settings(max_examples=12, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers(case: Case) -> None:
            if isinstance(case.body, dict) and isinstance(case.body.get("wait"), float | int):
                case.body["wait"] = min(case.body["wait"], 0.1)  # a command may never be completed
            case.call_and_validate(
                headers=BEARER, timeout=20, excluded_checks=[positive_data_acceptance, ignored_auth]
            )

        answers()
        tried.append(operation.label)
    assert len(tried) > 20
