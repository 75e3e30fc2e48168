"""The generated documentation: the routes, and every parameter with its facts as JSON Schema."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from repstream.parameters.catalogue import Catalogue, Command, Parameter
from repstream.parameters.facts import Role
from repstream_http.answers import CommandAnswer, ErrorAnswer
from repstream_http.types import argument_schema, schema

DESCRIPTION = """\
Reads, writes, commands and watches a repstream engine.

**Keys** are `group.field` or `group.name.field`: `source.address`, `streams.live.every_nth`,
`writers.main.num_images`. The slot may stand for the name (`streams.1.every_nth`).

**Errors** all have the shape `{"error": {"subject", "reason", "allowed"}}`: 400 the body is not
JSON; 404 no such parameter, command or engine; 409 refused because of the state, the access or
the control lock; 422 refused because of the value; 500 taken and failed, or a fault of the engine;
503 the engine cannot be reached; 504 taken, and not known yet what becomes of it. Whatever was
refused changed nothing.

**Tokens**, where the server has any, come as `Authorization: Bearer <token>`: one for reading, one for
changing. 401 says that one is missing or wrong.

**Who asks** is taken from the header `X-Requested-By`, else from the user name of basic
authentication (the password is not looked at), and shows in the log and in `engine.last_command_by`.

**Changes** come by WebSocket at `/api/v1/changes` (`?group=streams.live` for a part): first
`{"type": "snapshot", "epoch", "sequence", "time", "slots", "values"}`, then, numbered on from there,
`{"type": "change", "epoch", "sequence", "time", "values"}` and
`{"type": "completion", "epoch", "sequence", "time", "id", "command", "ok", "message"}`. When streams
or writers come, go or change their names there is a new snapshot. A client that falls behind gets
changes merged: always the latest value of each key, not every one in between. With `?merge=false` it
gets every one, or is dropped where more than a thousand wait.

**Several engines**: `/api/v1/engines` lists them; `/api/v1/engines/{engine}/...` has the same
routes as `/api/v1/...`, which means the first of them.
"""

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": ErrorAnswer}
    for status, text in (
        (401, "A token is needed."),
        (400, "The body is not JSON."),
        (
            403,
            "A page of another site, a server that is read-only, or a file outside of the engine's folders.",
        ),
        (404, "No such parameter, command, group or engine."),
        (409, "Refused because of the state, the access or the control lock; nothing was changed."),
        (422, "Refused because of the value; nothing was changed."),
        (
            429,
            "Too many requests or wrong tokens from this address; Retry-After says when to ask again.",
        ),
        (500, "The engine itself failed; its log has the details."),
        (503, "The engine cannot be reached."),
        (504, "Taken, and it goes on: what becomes of it is not known yet."),
    )
}

TAKEN: dict[int | str, dict[str, Any]] = {
    202: {"description": "Taken; it goes on.", "model": CommandAnswer},
    424: {
        "description": "Taken, then ended early: aborted, or fewer images than asked for.",
        "model": ErrorAnswer,
    },
    500: {"description": "Taken, then failed; or the engine itself failed.", "model": ErrorAnswer},
}


def body(name: str, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route whose JSON body has the shape `name`."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"requestBody": {"required": required, "content": content}}


def document(app: FastAPI, catalogue: Catalogue) -> dict[str, Any]:
    """The OpenAPI document of `app`, with the parameters of `catalogue`."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        openapi_version="3.1.0",
    )
    found["components"]["schemas"] |= _bodies(catalogue)
    found["x-parameters"] = {
        group: {p.field: schema(p) for p in _declared(catalogue, group)} for group in catalogue.groups
    }
    found["x-commands"] = {
        _pattern(command): {
            "description": command.text,
            "argument": argument_schema(command.argument) if command.argument else None,
        }
        for command in catalogue.commands.values()
        if command.slot <= 1
    }
    return found


def _pattern(command: Command) -> str:
    """The key of a command for any slot: ``writers.{name}.start``."""
    middle = "{name}." if command.slot else ""
    return f"{command.group}.{middle}{command.name}"


def _declared(catalogue: Catalogue, group: str) -> list[Parameter]:
    """The parameters of a group, once for all its slots."""
    return list(catalogue.of(group, min(catalogue.slots(group), default=0)))


def _bodies(catalogue: Catalogue) -> dict[str, Any]:
    writable = {g: [p for p in _declared(catalogue, g) if p.writable] for g in catalogue.groups}
    single, slotted = {}, {}
    for group, parameters in writable.items():
        for parameter in parameters:
            if parameter.slot:
                pattern = rf"^{group}\.[^.]+\.{re.escape(parameter.field)}$"
                slotted[pattern] = schema(parameter)
            else:
                single[parameter.key] = schema(parameter)
    sections = {
        group: {p.field: schema(p) for p in parameters if p.role is not Role.NAME}
        for group, parameters in writable.items()
        if parameters
    }
    return {
        "NewValue": {
            "type": "object",
            "required": ["value"],
            "additionalProperties": False,
            "properties": {"value": {"description": "The new value; x-parameters has its type."}},
            "examples": [{"value": 10}],
        },
        "Changes": {
            "type": "object",
            "description": "New values by key, with name or slot.",
            "properties": single,
            "patternProperties": slotted,
            "additionalProperties": False,
            "minProperties": 1,
            "examples": [{"streams.live.every_nth": 10, "streams.live.policy": "send_every_nth"}],
        },
        "CommandRequest": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "argument": {"description": "Argument, where the command takes one.", "default": None},
                "wait": {
                    "type": ["number", "null"],
                    "minimum": 0,
                    "description": "Longest time to wait for the end of the command, in seconds.",
                    "default": None,
                },
            },
            "examples": [{"argument": 100, "wait": 60}],
        },
        "Login": {
            "type": "object",
            "required": ["token"],
            "additionalProperties": False,
            "properties": {"token": {"type": "string"}},
            "examples": [{"token": "a token of this server"}],
        },
        "Config": {
            "type": "object",
            "minProperties": 1,
            "description": "A configuration, whole or in part, in the shape of a configuration file.",
            "properties": {
                group: _section(bool(catalogue.slots(group)), fields) for group, fields in sections.items()
            },
            "examples": [{"streams": {"live": {"every_nth": 10}}}],
        },
    }


def _section(slotted: bool, fields: dict[str, Any]) -> dict[str, Any]:
    section = {"type": "object", "properties": fields}
    if slotted:
        return {"type": "object", "description": "By name.", "additionalProperties": section}
    return section
