"""The writer as the standard DAQ shows it, and its requests to write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from repstream.parameters.facts import Value
from repstream.parameters.run_id import as_given
from repstream.states import AcquisitionResult, AcquisitionState, WriterState, has_no_file

SLOT = 1
"""The standard DAQ knows one writer: the first."""

MOST_IMAGES = 2**31 - 1

Fields = Mapping[str, Value]


class WriteRequest(BaseModel):
    """What to write: `n_images` images into `output_file`, an absolute path with an extension.

    `run_id` is a label, given back as it was.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    n_images: Annotated[int, Field(ge=1, le=MOST_IMAGES)]
    output_file: str
    run_id: int | str | None = None

    @field_validator("output_file")
    @classmethod
    def _is_a_file(cls, path: str) -> str:
        if not PurePosixPath(path).is_absolute() or not PurePosixPath(path).suffix or "\0" in path:
            raise ValueError("must be an absolute path with a file extension, such as /data/run1.h5")
        return path

    def fields(self) -> dict[str, Value]:
        """The settings of the writer that it stands for; the engine gives a run without label one."""
        run_id = "" if self.run_id is None else str(self.run_id)
        return {
            "output_file": self.output_file,
            "num_images": self.n_images,
            "run_id": run_id,
            "first_image_id": 0,
            "status_words": "std_daq",
        }


def writer(fields: Fields) -> dict[str, Any]:
    """The writer object; before the first acquisition it has none.

    While two files are open, one of them only flushed, this is about the newest; the state stays
    WRITING until both are closed.
    """
    state = WriterState(str(fields["state"] or "UNKNOWN"))
    return {
        "state": state.value,
        "acquisition": acquisition(fields) if fields["acquisition_id"] else None,
    }


def acquisition(fields: Fields) -> dict[str, Any]:
    """An acquisition, of a writer now or of a record."""
    completed = int(fields["num_written"] or 0)
    return {
        "state": _state(str(fields["acq_state"])),
        "message": _message(fields),
        "info": {
            "n_images": fields["num_requested"],
            "output_file": fields["full_file_name"],
            "run_id": as_given(str(fields["acq_run_id"])),
        },
        "stats": {
            "n_write_requested": completed + int(fields["left"] or 0),
            "n_write_completed": completed,
            "start_time": fields["start_time"],
            "stop_time": fields["stop_time"],
        },
    }


def _state(state: str) -> str:
    """Until its file is there an acquisition waits as well."""
    return AcquisitionState.WAITING_IMAGES.value if has_no_file(state) else state


def _message(fields: Fields) -> str:
    match fields["acq_result"]:
        case AcquisitionResult.COMPLETED:
            return "Completed."
        case AcquisitionResult.INTERRUPTED:
            return "Interrupted."
        case AcquisitionResult.NONE | None:
            return ""
        case _:
            return f"ERROR:{str(fields['acq_message']).removeprefix('ERROR:')}"
