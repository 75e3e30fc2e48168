"""Parameters of a writer: which file, how many images."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from repstream.parameters.experiment import ExperimentConfig
from repstream.parameters.facts import Access, Derived, Form, Level, LongText, Unit
from repstream.parameters.file_names import PartNames, check_template, full_name, split_full_name
from repstream.parameters.header_columns import parse_columns
from repstream.parameters.json_text import MOST_CHARACTERS, parse_object
from repstream.parameters.stream import OutputConfig
from repstream.parameters.trigger_condition import parse_condition
from repstream.policies.slow_consumer import SlowRule

MOST_FILE_NUMBER = 999_999_999
MOST_SOCKET_PATH = 100
"""A Unix socket's path has room for 107 bytes; a number or "meta" follows."""
NAME_FORM = "a name of letters, digits, _ . and - that begins with a letter, a digit or _"


class WriterConfig(OutputConfig, ExperimentConfig):
    """A writer: an output whose frames go to HDF5 files, one an acquisition."""

    on_slow: Annotated[SlowRule, Access.WHILE_IDLE] = Field(
        SlowRule.BLOCK,
        title="When the queue is full",
        description="With a full queue: block the source, drop the newest frame or drop the oldest frame.",
    )
    output_file: Annotated[str, Access.WHILE_IDLE, Derived()] = Field(
        "",
        max_length=1023,
        title="Next file",
        description="Full name of the next file. Writing it sets folder, file_name and file_template.",
    )
    folder: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=512,
        title="Folder",
        description="Folder of the files, an absolute path below an allowed folder.",
    )
    file_name: Annotated[str, Access.WHILE_IDLE] = Field(
        "image",
        max_length=255,
        title="File name",
        description="Name of the files without number and extension, used by file_template.",
    )
    file_template: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "%s%s_%6.6d.h5",
        max_length=255,
        title="File name template",
        description="C format of the full file name from folder, file_name and, if it is used, file_number.",
    )
    file_number: Annotated[int, Access.WHILE_IDLE] = Field(
        0,
        ge=0,
        le=MOST_FILE_NUMBER,
        title="File number",
        description="Number of the next file, if file_template uses it.",
    )
    auto_increment: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        True,
        title="Increment file number",
        description="Whether file_number increases by one when a file is opened.",
    )
    create_directory: Annotated[int, Access.WHILE_IDLE, Unit("levels"), Level.EXPERT] = Field(
        0,
        ge=-32,
        le=32,
        title="Create folders",
        description="Folders to create: 0 none, -n the last n levels, n all below the first n levels.",
    )
    overwrite: Annotated[bool, Access.WHILE_IDLE] = Field(
        False,
        title="Overwrite files",
        description="Whether an existing file is replaced; otherwise it is an error.",
    )
    keep_empty_file: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        True,
        title="Keep empty files",
        description="Whether a file that took no image stays; otherwise it is removed when it is closed.",
    )
    num_images: Annotated[int, Access.WHILE_IDLE, Unit("images")] = Field(
        0,
        ge=0,
        le=2_147_483_647,
        title="Number of images",
        description="Number of images in an acquisition; 0 continues until stopped.",
    )
    first_image_id: Annotated[int, Access.WHILE_IDLE, Level.EXPERT] = Field(
        0,
        ge=0,
        le=2**64 - 1,
        title="First image id",
        description="Frames with a lower id are left out; 0 takes all.",
    )
    run_id: Annotated[str, Access.WHILE_IDLE] = Field(
        "",
        max_length=255,
        title="Run id",
        description="Label of the run, any text; if it is empty, the start time in ns is used.",
    )
    detector_name: Annotated[str, Access.WHILE_IDLE, Form(NAME_FORM), Level.EXPERT] = Field(
        "detector",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        title="Detector name",
        description="HDF5 group of the images: letters, digits, _ . -, not beginning with entry.",
    )
    compression: Annotated[Literal["none", "bitshuffle_lz4"], Access.WHILE_IDLE] = Field(
        "none",
        title="Compression",
        description="Compression of the images in the file; bitshuffle_lz4 is HDF5 filter 32008.",
    )
    checksum: Annotated[Literal["none", "xxh3", "crc32c"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "none",
        title="Image checksum",
        description="Checksum stored with each image; verify compares it with the image.",
    )
    keep_frames: Annotated[int, Access.WHILE_IDLE, Unit("frames"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Pre-trigger frames",
        description="Frames before the start that are written first; 0 sets no number (see keep_time).",
    )
    keep_time: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=3600.0,
        title="Pre-trigger time",
        description="Time before the start whose frames are written first; 0 sets no time (see keep_frames).",
    )
    keep_memory: Annotated[int, Access.WHILE_IDLE, Unit("MiB"), Level.EXPERT] = Field(
        256,
        ge=1,
        le=1_000_000,
        title="Pre-trigger memory",
        description="Memory for pre-trigger frames, in addition to buffer_memory.",
    )
    trigger_attribute: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=128,
        title="Trigger attribute",
        description="Attribute, or comparison such as intensity > 100, that starts an armed writer.",
    )
    follow_series: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        False,
        title="One file per series",
        description="Whether an armed writer creates a file for each series of a DECTRIS detector.",
    )
    spill_folder: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=512,
        title="Spill folder",
        description="Local folder for frames (in an unnamed file) while the storage stalls; empty: none.",
    )
    spill_limit: Annotated[float, Access.WHILE_IDLE, Unit("GB"), Level.EXPERT] = Field(
        10.0, ge=0.001, le=1e6, title="Spill limit", description="Maximum size of the frames in spill_folder."
    )
    first_image_timeout: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=1e9,
        title="First image timeout",
        description="The acquisition ends if the first image takes longer than this; 0 waits forever.",
    )
    idle_timeout: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=1e9,
        title="Idle timeout",
        description="The acquisition ends if the next image takes longer than this; 0 waits forever.",
    )
    max_duration: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=1e9,
        title="Maximum duration",
        description="The acquisition ends this long after the start; 0 sets no limit.",
    )
    placement: Annotated[Literal["arrival", "by_id"], Access.WHILE_IDLE, Level.EXPERT] = Field(
        "arrival",
        title="Image placement",
        description="Images in order of arrival, or each at the position of its id, with gaps left blank.",
    )
    images_per_file: Annotated[int, Access.WHILE_IDLE, Unit("images"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=16_777_216,
        title="Images per file",
        description="Images in a file; more go to _part0002.h5 and on, output_file shows all; 0: one file.",
    )
    number_of_parts: Annotated[int, Access.WHILE_IDLE, Unit("files"), Level.EXPERT] = Field(
        1,
        ge=1,
        le=32,
        title="Writing processes",
        description="Processes that write every nth image to _part0.h5 and on; output_file shows all.",
    )
    part_names: Annotated[PartNames, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "repstream",
        title="Names of parts",
        description="repstream: x_part0.h5, x_meta.h5; std_daq: x0.h5, xMeta.h5, also for one process.",
    )
    status_words: Annotated[PartNames, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "repstream",
        title="Words of the status in files",
        description="Status of an image; repstream: 0 is good; std_daq, as with its part_names: 1 is good.",
    )
    part_services: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=MOST_SOCKET_PATH,
        title="Part services",
        description="Sockets of std_det_writer without the number, such as /tmp/eiger-writer-; empty: none.",
    )
    metadata_service: Annotated[bool, Access.WHILE_IDLE, Level.EXPERT] = Field(
        False,
        title="Metadata service",
        description="Whether a service at part_services + meta (std_det_meta_writer_gf) writes the metadata.",
    )
    block_size: Annotated[int, Access.WHILE_IDLE, Unit("bytes"), Level.EXPERT] = Field(
        0,
        ge=0,
        le=2_147_483_647,
        title="Block size",
        description="Block of the file system: images cross no more of its boundaries than needed; 0: any.",
    )
    sync_interval: Annotated[float, Access.WHILE_IDLE, Unit("s"), Level.EXPERT] = Field(
        0.0,
        ge=0.0,
        le=3600.0,
        title="Sync interval",
        description="Time between syncs to the disk, which make images readable; 0 leaves it to the system.",
    )
    header_columns: Annotated[str, Access.WHILE_IDLE, Level.EXPERT] = Field(
        "",
        max_length=1023,
        title="Header columns",
        description="Header attributes with the type of their column, such as pulse_id:uint64, pos:float64.",
    )
    user_metadata: Annotated[str, Access.WHILE_IDLE, LongText(MOST_CHARACTERS)] = Field(
        "",
        max_length=MOST_CHARACTERS,
        title="User metadata",
        description='JSON object stored in the file, such as {"sample": {"name": "A"}}.',
    )
    user_id: Annotated[int, Access.WHILE_IDLE, Level.EXPERT] = Field(
        0,
        ge=0,
        le=2_147_483_647,
        title="File owner",
        description="User id that owns the files, one that the engine permits; 0: the user of the service.",
    )

    @field_validator("file_template")
    @classmethod
    def _template_is_a_format(cls, template: str) -> str:
        check_template(template)
        return template

    @field_validator("folder", "spill_folder", "part_services")
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

    @field_validator("trigger_attribute")
    @classmethod
    def _trigger_is_a_condition(cls, text: str) -> str:
        parse_condition(text)
        return text

    @field_validator("header_columns")
    @classmethod
    def _header_columns_have_types(cls, text: str) -> str:
        parse_columns(text)
        return text

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
        name = fields.get("output_file") if isinstance(fields, dict) else None
        if name and isinstance(name, str) and not fields.get("folder"):
            return {**fields, **split_full_name(name)}
        return fields  # of another type: the field itself refuses it

    @model_validator(mode="after")
    def _output_file_is_the_next(self) -> Self:
        name = ""
        if self.folder:
            name = full_name(self.file_template, self.folder, self.file_name, self.file_number)
        # The model is frozen for its users; this is the one field that follows from others.
        object.__setattr__(self, "output_file", name)
        return self

    @property
    def in_parts(self) -> bool:
        """Whether images and metadata have files of their own, that `output_file` shows."""
        return self.number_of_parts > 1 or self.part_names == "std_daq" or bool(self.part_services)

    def numbered(self, number: int) -> Self:
        """A copy with another `file_number`; raises `pydantic.ValidationError`."""
        return self.changed({"file_number": number})

    def changed(self, fields: dict[str, Any]) -> Self:
        """As `Section.changed`; `output_file` among `fields` stands for the three it sets."""
        if "output_file" in fields:
            name = fields["output_file"]
            fields = {**{k: v for k, v in fields.items() if k != "output_file"}, **split_full_name(name)}
        kept = self.model_dump(exclude={"output_file"})
        return self.model_validate({**kept, **fields})
