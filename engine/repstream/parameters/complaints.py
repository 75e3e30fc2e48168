"""What a failed validation says to people: what is wrong where, what is allowed, and which fields exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from repstream.errors import did_you_mean
from repstream.parameters.facts import Form

_WANTED = {
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
}


def complaint(error: ValidationError, model: type[BaseModel]) -> str:
    """One sentence for each place of `model` that is wrong."""
    return "; ".join(_sentence(fault, model) for fault in error.errors(include_url=False))


def _sentence(fault: ErrorDetails, model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in fault["loc"]) or "the whole"
    kind = fault["type"]
    if kind == "value_error":
        return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        given, known = str(fault["loc"][-1]), _fields_at(model, fault["loc"][:-1])
        hint = did_you_mean(given, known) or f", only {', '.join(known)}"
        return f"{place}: there is no field {given!r}{hint}"
    return f"{place}: {_wanted(fault, model)}, not {fault['input']!r:.80}"


def _wanted(fault: ErrorDetails, model: type[BaseModel]) -> str:
    if fault["type"] == "string_pattern_mismatch":
        field = _fields_at(model, fault["loc"][:-1]).get(str(fault["loc"][-1]))
        forms = [fact for fact in field.metadata if isinstance(fact, Form)] if field else []
        return f"must be {forms[0].words}" if forms else "has the wrong form"
    known = _WANTED.get(fault["type"])
    if known is not None:
        return known.format(**fault.get("ctx", {}))
    return f"{fault['msg'][:1].lower()}{fault['msg'][1:]}"


def _fields_at(model: type[BaseModel], place: tuple[int | str, ...]) -> Mapping[str, FieldInfo]:
    """The fields that exist at a place; a name that users gave leads to the model of what has it."""
    found: type[BaseModel] | None = model
    for part in place:
        field = found.model_fields.get(str(part)) if found is not None else None
        if field is not None:
            found = _model_in(field.annotation)
    return found.model_fields if found is not None else {}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
