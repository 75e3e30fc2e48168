"""The reference of the API as a plain page that needs nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any


def reference(document: Mapping[str, Any]) -> str:
    """The OpenAPI document for people: routes, parameters, commands."""
    title = document["info"]["title"]
    parts = [
        f"<h1>{escape(title)} {escape(document['info']['version'])}</h1>",
        f"<pre>{escape(document['info']['description'])}</pre>",
        "<h2>Routes</h2>",
        _table(("Request", "What it does", "Body"), _routes(document)),
    ]
    for group, fields in document["x-parameters"].items():
        parts.append(f"<h2>Parameters: {escape(group)}</h2>")
        parts.append(_table(("Field", "Type", "Unit", "Access", "Description"), _fields(fields)))
    parts.append("<h2>Commands</h2>")
    parts.append(_table(("Command", "Argument", "Description"), _commands(document["x-commands"])))
    return _page(title, "".join(parts))


def _routes(document: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            example = document["components"]["schemas"].get(name, {}).get("examples", [""])[0]
            text = escape(operation.get("description", "")).replace("\n\n", "<br>")
            shown = f"<code>{escape(json.dumps(example))}</code>" if example else ""
            yield f"<code>{method.upper()} {escape(path)}</code>", text, shown


def _fields(fields: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for name, facts in fields.items():
        yield (
            f"<code>{escape(name)}</code>",
            escape(_type(facts)),
            escape(facts.get("x-unit", "")),
            escape(facts["x-access"].replace("_", " ")),
            escape(facts.get("description", "")),
        )


def _commands(commands: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for key, facts in commands.items():
        argument = facts["argument"]
        taken = f"{_type(argument)}: {argument['description']}" if argument else ""
        yield f"<code>{escape(key)}</code>", escape(taken), escape(facts["description"])


def _type(facts: Mapping[str, Any]) -> str:
    if "enum" in facts:
        return " | ".join(str(choice) for choice in facts["enum"] if choice is not None)
    kinds = facts["type"]
    kind = kinds if isinstance(kinds, str) else kinds[0]
    low, high = facts.get("minimum"), facts.get("maximum")
    if low is None and high is None:
        return str(kind)
    return f"{kind}, {'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head) if any(head) else ""
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"


def _page(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="page/style/reference.css"></head>'
        f"<body>{content}</body></html>"
    )
