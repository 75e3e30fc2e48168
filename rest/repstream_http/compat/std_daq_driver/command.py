"""What a client of the driver may ask for, and what that means for writer 1."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repstream.errors import InvalidValue
from repstream.parameters.complaints import complaint
from repstream.parameters.facts import Value

SHOWN_LENGTH = 200
"""Characters of a wrong command that are shown again."""


class Start(BaseModel):
    """Write `n_image` images, from the one with the id `start_id` on, into ``<path>/<file_prefix>0.h5``.

    `path` is a folder that exists; `writer_id` the user that owns the files, 0 that of the service.
    """

    model_config = ConfigDict(strict=True, extra="ignore")

    command: Literal["start"]
    path: Annotated[str, Field(min_length=1)]
    file_prefix: str = "file"
    n_image: Annotated[int, Field(ge=1, le=2**31 - 1)] = 16_777_215
    writer_id: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] = 0
    start_id: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0

    def fields(self, in_parts: bool) -> dict[str, Value]:
        """The settings of a writer; one whose images lie in parts numbers those itself."""
        number = "" if in_parts else "0"
        return {
            "output_file": f"{self.path.rstrip('/')}/{self.file_prefix}{number}.h5",
            "num_images": self.n_image,
            "user_id": max(self.writer_id, 0),
            "first_image_id": self.start_id,
            "status_words": "std_daq",
        }


class Stop(BaseModel):
    """End what is recorded."""

    command: Literal["stop"]


PATH = "path"
"""Subject of the refusal of a start that does not say where to; the driver closes the connection after it."""


def parse(text: str) -> Start | Stop:
    """The command in a message; raises `InvalidValue`."""
    try:
        given: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidValue("command", f"Invalid command! {_shown(text)}") from None
    name = given.get("command") if isinstance(given, dict) else None
    if name not in ("start", "stop"):
        raise InvalidValue("command", f"Invalid command! expected: start or stop, received: {_shown(text)}")
    if name == "start" and not given.get(PATH):
        wanted = "expected: start with path parameter"
        raise InvalidValue(PATH, f"Invalid command! {wanted}, received: {_shown(text)}")
    try:
        return Stop(command="stop") if name == "stop" else Start.model_validate(given)
    except ValidationError as error:
        raise InvalidValue("command", f"Invalid command! {complaint(error, Start)}") from error


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
