"""Parameters of a writer: which file, how many images."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from repstream.parameters.facts import Access, LongText, Unit
from repstream.parameters.file_names import check_template, full_name, split_full_name
from repstream.parameters.json_text import MOST_CHARACTERS, parse_object
from repstream.parameters.stream import OutputConfig
from repstream.policies.slow_consumer import SlowRule

MOST_FILE_NUMBER = 999_999_999


class WriterConfig(OutputConfig):
    """A writer: an output whose frames go to HDF5 files, one an acquisition."""

    on_slow: Annotated[SlowRule, Access.WHILE_IDLE] = Field(
        SlowRule.BLOCK,
        description="When the queue is full: block the source, drop the newest or drop the oldest frame.",
    )
    output_file: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=1023,
        description="Full name of the next file. Writing it sets folder, file name and template at once.",
    )
    folder: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=512, description="Folder of the files, an absolute path below an allowed root."
    )
    file_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "image", max_length=255, description="Name that file_template puts into the full file name."
    )
    file_template: Annotated[str, Access.WHILE_IDLE] = Field(
        "%s%s_%6.6d.h5",
        max_length=255,
        description="C format of the full file name: folder, file name and, if it has a third field, number.",
    )
    file_number: Annotated[int, Access.WHILE_IDLE] = Field(
        0,
        ge=0,
        le=MOST_FILE_NUMBER,
        description="Number of the next file, where the template has a place for it.",
    )
    auto_increment: Annotated[bool, Access.WHILE_IDLE] = Field(
        True, description="Whether file_number rises by one when a file is opened."
    )
    create_directory: Annotated[int, Access.WHILE_IDLE, Unit("levels")] = Field(
        0,
        ge=-32,
        le=32,
        description="Folders that may be made: 0 none, -n the last n levels, n all below the first n levels.",
    )
    overwrite: Annotated[bool, Access.WHILE_IDLE] = Field(
        False, description="Whether a file that exists is replaced; otherwise it is an error."
    )
    num_images: Annotated[int, Access.WHILE_IDLE, Unit("images")] = Field(
        0, ge=0, le=2_147_483_647, description="Images of an acquisition; 0 goes on until stopped."
    )
    run_id: Annotated[str, Access.WHILE_IDLE] = Field(
        "", max_length=255, description="Label of the run, free text; empty takes the start time in ns."
    )
    detector_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "detector",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        description="Group that holds the images: letters, digits, _ . -, not beginning with entry.",
    )
    compression: Annotated[Literal["none", "bitshuffle_lz4"], Access.WHILE_IDLE] = Field(
        "none", description="Compression of the images in the file (bitshuffle_lz4 is HDF5 filter 32008)."
    )
    checksum: Annotated[Literal["none", "xxh3", "crc32c"], Access.WHILE_IDLE] = Field(
        "none", description="Checksum kept for each image as it is stored; verify compares with it."
    )
    keep_frames: Annotated[int, Access.WHILE_IDLE, Unit("frames")] = Field(
        0,
        ge=0,
        le=1_000_000,
        description="The last frames before the start that begin the file; 0 sets no number (see keep_time).",
    )
    keep_time: Annotated[float, Access.WHILE_IDLE, Unit("s")] = Field(
        0.0,
        ge=0.0,
        le=3600.0,
        description="Time before the start whose frames begin the file; 0 sets none. Both 0: none are kept.",
    )
    keep_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB")] = Field(
        256, ge=1, le=1_000_000, description="Memory for kept frames, beside buffer_memory."
    )
    trigger_attribute: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=64,
        description="Numeric header attribute that starts an armed writer when it becomes other than 0.",
    )
    follow_series: Annotated[bool, Access.WHILE_IDLE] = Field(
        False, description="Whether each series of a DECTRIS detector gets a file of its own, once armed."
    )
    spill_folder: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=512,
        description="Local folder where frames wait (in a nameless file) when storage stalls; empty: none.",
    )
    spill_limit: Annotated[float, Access.WHILE_IDLE, Unit("GB")] = Field(
        10.0, ge=0.001, le=1e6, description="Most that may wait in spill_folder."
    )
    first_image_timeout: Annotated[float, Access.WHILE_IDLE, Unit("s")] = Field(
        0.0, ge=0.0, le=1e9, description="End where no image comes within so long of the start; 0 waits."
    )
    idle_timeout: Annotated[float, Access.WHILE_IDLE, Unit("s")] = Field(
        0.0, ge=0.0, le=1e9, description="End where no further image comes for so long; 0 waits."
    )
    max_duration: Annotated[float, Access.WHILE_IDLE, Unit("s")] = Field(
        0.0, ge=0.0, le=1e9, description="End so long after the start, whatever came; 0 sets no end."
    )
    placement: Annotated[Literal["arrival", "by_id"], Access.WHILE_IDLE] = Field(
        "arrival",
        description="Images in order of arrival, or each at the place of its id, missing ones left blank.",
    )
    images_per_file: Annotated[int, Access.WHILE_IDLE, Unit("images")] = Field(
        0,
        ge=0,
        le=16_777_216,
        description="Images in a file; more go to _part0002.h5 and on, output_file shows all; 0: one file.",
    )
    number_of_parts: Annotated[int, Access.WHILE_IDLE, Unit("files")] = Field(
        1,
        ge=1,
        le=32,
        description="Processes that write, each every nth image to _part0.h5 and on; output_file shows all.",
    )
    sync_interval: Annotated[float, Access.WHILE_IDLE, Unit("s")] = Field(
        0.0,
        ge=0.0,
        le=3600.0,
        description="Time between writes to the disk, after which images show; 0 leaves it to the system.",
    )
    user_metadata: Annotated[str, Access.WHILE_IDLE, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        description='A JSON object kept in the file (sample, motors, …), such as {"sample": {"name": "A"}}.',
    )
    user_id: Annotated[int, Access.WHILE_IDLE] = Field(
        0,
        ge=0,
        le=2_147_483_647,
        description="User id that owns the files; 0 leaves them to the service's user.",
    )

    @field_validator("file_template")
    @classmethod
    def _template_is_a_format(cls, template: str) -> str:
        check_template(template)
        return template

    @field_validator("folder", "spill_folder")
    @classmethod
    def _folder_is_absolute(cls, folder: str) -> str:
        if folder and not folder.startswith("/"):
            raise ValueError(f"must be an absolute path such as /data/run1, not {folder!r}")
        return folder

    @field_validator("file_name")
    @classmethod
    def _file_name_is_a_name(cls, name: str) -> str:
        if "/" in name or "\0" in name:
            raise ValueError(
                f"must be a name without a folder, not {name!r}; the folder has a parameter of its own"
            )
        return name

    @field_validator("user_metadata")
    @classmethod
    def _user_metadata_is_an_object(cls, text: str) -> str:
        parse_object(text)
        return text

    @field_validator("detector_name")
    @classmethod
    def _detector_name_is_free(cls, name: str) -> str:
        if name.startswith("entry"):
            raise ValueError(f"must not begin with entry, where NeXus and Lima look for theirs, not {name!r}")
        return name

    @model_validator(mode="before")
    @classmethod
    def _output_file_sets_the_rest(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("output_file") and not fields.get("folder"):
            return {**fields, **split_full_name(fields["output_file"])}
        return fields

    @model_validator(mode="after")
    def _output_file_is_the_next(self) -> Self:
        name = ""
        if self.folder:
            name = full_name(self.file_template, self.folder, self.file_name, self.file_number)
        # The model is frozen for its users; this is the one field that follows from others.
        object.__setattr__(self, "output_file", name)
        return self

    def changed(self, fields: dict[str, Any]) -> Self:
        """As `Section.changed`; `output_file` among `fields` stands for the three it sets."""
        if "output_file" in fields:
            name = fields["output_file"]
            fields = {**{k: v for k, v in fields.items() if k != "output_file"}, **split_full_name(name)}
        kept = self.model_dump(exclude={"output_file"})
        return self.model_validate({**kept, **fields})
