"""Sizes of images on the command line."""

from __future__ import annotations

import re

import typer

SIZE = re.compile(r"(\d+)x(\d+)")


def size(text: str) -> tuple[int, int]:
    """``HEIGHTxWIDTH`` as (height, width) in pixels."""
    match = SIZE.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise typer.BadParameter(f"{text!r} is no size; HEIGHTxWIDTH in pixels, such as 1200x2016")
    return int(match[1]), int(match[2])
