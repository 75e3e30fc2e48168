"""Refusing query parameters that a route does not know: a misspelt one would be ignored in silence."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from http import HTTPStatus

from fastapi import Depends, HTTPException
from fastapi.dependencies.models import Dependant
from fastapi.requests import HTTPConnection
from pydantic import BaseModel


async def _check(connection: HTTPConnection) -> None:
    known = sorted(_declared(connection.scope["route"].dependant))
    for name in connection.query_params:
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f", only {', '.join(known)}" if known else ""
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"there is no query parameter {name!r:.60}{hint}"
        )


known_query = Depends(_check)
"""A dependency for routers: 422 for a query parameter that the route does not declare."""


def _declared(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        declared = field.field_info.annotation
        if isinstance(declared, type) and issubclass(declared, BaseModel):
            yield from declared.model_fields
        else:
            yield field.alias
    for inner in dependant.dependencies:
        yield from _declared(inner)
