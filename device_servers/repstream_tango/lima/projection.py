"""Table in, Tango out: the class `LimaCCDs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tango import CmdArgType, DispLevel
from tango.server import attribute, device_property

from repstream.parameters.catalogue import Catalogue
from repstream_tango.attributes import tango_attribute
from repstream_tango.commands import tango_command
from repstream_tango.lima import table
from repstream_tango.lima.device import LimaDevice
from repstream_tango.lima.rows import Fixed, Row
from repstream_tango.names import LIMA_CLASS
from repstream_tango.pictures.attributes import LIMA_SLOT, LIMA_VIDEO, own_attributes

STEPS = {
    "prepareAcq": ("prepare", "Create the file (saving_mode AUTO_FRAME), or get ready to count images."),
    "startAcq": ("start", "Take acq_nb_frames images, those that come next."),
    "stopAcq": ("stop", "End the acquisition; what was received is written."),
    "abortAcq": ("abort", "End the acquisition; what waits is discarded and counted."),
    "reset": ("stop", "End the acquisition and clear its fault."),
}


def lima_class(catalogue: Catalogue, common: Mapping[str, Any]) -> type[LimaDevice]:
    """The class for an engine with this catalogue; fills `projection.MakeClass`."""
    shown = tuple(one for one in own_attributes(catalogue, LIMA_SLOT) if one.name == LIMA_VIDEO)
    members: dict[str, Any] = {
        "parameters": (),
        "picture_attributes": shown,
        "DataArrayVersion": device_property(
            dtype=int, default_value=4, doc="Version of the header of images: 4 (Lima 1.10), 3 or 2."
        ),
        **{row.name: _attribute(row) for row in table.ROWS},
        **{one.name: one.made() for one in shown},
        **dict(_commands()),
    }
    return type(LIMA_CLASS, (LimaDevice,), {**members, **common})


def _attribute(row: Row) -> attribute:
    def read(device: LimaDevice) -> Any:
        return device.read_row(row)

    def write(device: LimaDevice, value: Any) -> None:
        device.write_row(row, value)

    spectrum = {"dtype": (row.dtype,), "max_dim_x": row.length} if row.length else {"dtype": row.dtype}
    return tango_attribute(
        row.name,
        read,
        write if row.writable else None,
        label=row.title,
        doc=f"{row.title}.",
        unit=row.unit,
        display_level=DispLevel.EXPERT if isinstance(row.what, Fixed) else DispLevel.OPERATOR,
        **spectrum,
    )


def _commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, (step, text) in STEPS.items():
        yield name, _step(name, step, text)

    def one_image(device: LimaDevice, number: int) -> tuple[str, bytes]:
        return device.images("readImage", [number])

    def images(device: LimaDevice, ends: Any) -> tuple[str, bytes]:
        return device.images("readImageSeq", range(*map(int, ends[:3])))

    def save(device: LimaDevice, number: int) -> None:
        device.save_image("writeImage", number)

    def words(device: LimaDevice, name: str) -> list[str]:
        return device.words_of(name)

    def no_headers(device: LimaDevice) -> None:
        device.write_row(next(row for row in table.ROWS if row.name == "saving_common_header"), ())

    encoded, text = CmdArgType.DevEncoded, CmdArgType.DevString
    yield (
        "readImage",
        tango_command(
            "readImage",
            one_image,
            "The image of this number (-1: the last) as DATA_ARRAY.",
            CmdArgType.DevLong,
            encoded,
        ),
    )
    yield (
        "writeImage",
        tango_command(
            "writeImage",
            save,
            "Write the image of this number (-1: the last) to a file (saving_mode MANUAL).",
            CmdArgType.DevLong,
        ),
    )
    yield (
        "readImageSeq",
        tango_command(
            "readImageSeq",
            images,
            "Images from the first number to before the second as DATA_ARRAY, a header before each.",
            CmdArgType.DevVarLongArray,
            encoded,
        ),
    )
    yield (
        "getAttrStringValueList",
        tango_command(
            "getAttrStringValueList",
            words,
            "What may be written to an attribute.",
            text,
            CmdArgType.DevVarStringArray,
        ),
    )
    yield "resetCommonHeader", tango_command("resetCommonHeader", no_headers, "Empty saving_common_header.")


def _step(name: str, step: str, text: str) -> Callable[..., Any]:
    def run(device: LimaDevice) -> None:
        device.run(name, step)

    return tango_command(name, run, text)
