"""The API of one engine: parameters, commands, state, configuration.

Plain functions run in the thread pool, so that an engine that answers slowly never holds up the
event loop.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from repstream.errors import EngineUnreachable, InvalidValue
from repstream.parameters.catalogue import Parameter
from repstream.parameters.facts import Role, Value
from repstream.protocol import Requester
from repstream_http import openapi, projection, waiting
from repstream_http.answers import CatalogueAnswer, CommandAnswer, CommandFacts, Reading, StateAnswer, Values
from repstream_http.known import known_query
from repstream_http.projection import View
from repstream_http.request import Asker, Body, FilledBody, ViewNow
from repstream_http.types import from_json

CONFIGURE = "engine.configure"
CONFIGURE_WAIT = 60.0
"""Seconds: a configuration given while running stops and starts the repeater."""

router = APIRouter(responses=openapi.ERRORS, dependencies=[known_query])

ParameterKey = Annotated[
    str,
    Path(description="Key with name or slot.", examples=["streams.live.every_nth", "streams.1.every_nth"]),
]
CommandKey = Annotated[
    str, Path(description="Key with name or slot.", examples=["writers.main.start", "engine.stop"])
]
GroupQuery = Annotated[
    str | None, Query(description="Only engine, source, streams, writers, or one such as streams.live.")
]


@router.get("/catalogue", tags=["Parameters"])
def get_catalogue(view: ViewNow) -> CatalogueAnswer:
    """All parameters and commands with all facts: unit, limits, choices, access, description."""
    return projection.catalogue(view)


@router.get("/parameters", tags=["Parameters"])
def read_parameters(view: ViewNow, group: GroupQuery = None) -> Values:
    """All values at one moment. Empty slots are shown too, with their number, their values null."""
    return projection.values(view, view.group(group))


@router.patch("/parameters", tags=["Parameters"], openapi_extra=openapi.body("Changes"))
def write_parameters(view: ViewNow, body: FilledBody, asker: Asker) -> Values:
    """Change many parameters at once, all or none; answers with their values now in force."""
    changes: dict[Parameter, Value] = {}
    for key, value in body.items():
        parameter = view.parameter(key)
        if parameter in changes:
            raise InvalidValue(key, f"is given twice, also as {view.names.shown(parameter.key)}")
        changes[parameter] = from_json(key, value)
    view.engine.write({parameter.key: value for parameter, value in changes.items()}, asker)
    return projection.values(View(view.name, view.engine), changes)


@router.get("/parameters/{key}", tags=["Parameters"])
def read_parameter(view: ViewNow, key: ParameterKey) -> Reading:
    """One parameter: its value, when that changed last, and its facts."""
    parameter = view.parameter(key)
    held = view.snapshot
    return projection.reading(
        parameter, view.names, held.values[parameter.key], held.times.get(parameter.key, held.time)
    )


@router.put("/parameters/{key}", tags=["Parameters"], openapi_extra=openapi.body("NewValue"))
def write_parameter(view: ViewNow, key: ParameterKey, body: FilledBody, asker: Asker) -> Reading:
    """Change one parameter; answers with the value now in force."""
    parameter = view.parameter(key)
    if set(body) != {"value"}:
        raise InvalidValue(key, 'the body must be {"value": <new value>}')
    view.engine.write({parameter.key: from_json(key, body["value"])}, asker)
    return read_parameter(View(view.name, view.engine), parameter.key)


@router.get("/commands", tags=["Commands"])
def list_commands(view: ViewNow) -> list[CommandFacts]:
    """All commands, with their arguments."""
    return [projection.command_facts(command, view.names) for command in view.catalogue.commands.values()]


@router.post(
    "/commands/{key}",
    tags=["Commands"],
    openapi_extra=openapi.body("CommandRequest", required=False),
    response_model=CommandAnswer,
    responses=openapi.TAKEN,
)
async def execute(view: ViewNow, key: CommandKey, body: Body, asker: Asker) -> JSONResponse:
    """Give a command, and follow it to its end for at most `wait` seconds.

    200: it ended well. 202: it was taken and goes on. 424: it was taken, and the acquisition was ended
    early: aborted, or with fewer images than asked for. 500: it was taken and failed. 504: it was taken
    and its end is not known yet. Any other error: it was refused, and nothing was changed.
    """
    command = view.command(key)
    if not set(body) <= {"argument", "wait"}:
        raise InvalidValue(key, 'the body may be {"argument": <value>, "wait": <seconds>}, or empty')
    wait = waiting.wait_of(body, key)
    argument = from_json(key, body.get("argument"))
    handle, completion = await waiting.execute(view.engine, command.key, argument, asker, wait)
    return waiting.answer(handle, view.names.shown(command.key), completion)


@router.get("/state", tags=["State"])
def read_state(view: ViewNow) -> StateAnswer:
    """State and status of the engine, and the status of each of its groups."""
    return projection.state(view)


@router.get("/config", tags=["Configuration"], response_model=dict[str, Any])
def read_config(view: ViewNow) -> Response:
    """The whole configuration, in the shape of a configuration file."""
    text = view.of_engine(Role.CONFIGURATION)
    if not text:
        raise EngineUnreachable("the configuration cannot be read now")
    return Response(str(text), media_type="application/json")


@router.patch(
    "/config", tags=["Configuration"], response_model=dict[str, Any], openapi_extra=openapi.body("Config")
)
async def change_config(view: ViewNow, body: FilledBody, asker: Asker) -> Response:
    """Apply a part of a configuration, all or nothing; answers with the whole now in force.

    What is not named stays; a stream or writer that is new is made, one given as null is removed.
    """
    return await _configure(view, body, asker)


@router.put(
    "/config", tags=["Configuration"], response_model=dict[str, Any], openapi_extra=openapi.body("Config")
)
async def replace_config(view: ViewNow, body: FilledBody, asker: Asker) -> Response:
    """Apply a whole configuration, all or nothing; answers with the one now in force.

    What is not named gets its default; streams and writers that are not named are removed.
    """
    return await _configure(view, projection.whole_config(view, body), asker)


async def _configure(view: View, tree: dict[str, Any], asker: Requester) -> Response:
    text = json.dumps(tree)
    handle, completion = await waiting.execute(view.engine, CONFIGURE, text, asker, CONFIGURE_WAIT)
    if completion is None or not completion.ok:
        return waiting.answer(handle, CONFIGURE, completion)
    return await run_in_threadpool(lambda: read_config(View(view.name, view.engine)))
