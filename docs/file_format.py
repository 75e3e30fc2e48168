"""The reference page of the file format, made from the layout itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from repstream.files import channels, goniometer
from repstream.files.columns import ARRIVAL_TIME
from repstream.files.detector import DetectorFacts
from repstream.files.nexus import nodes, places, trees
from repstream.files.plan import FilePlan
from repstream.parameters.experiment import ExperimentConfig

FACTS: Mapping[str, Any] = {
    "acquisition_id": "1700000000000-1",
    "run_id": "7",
    "start_time": 1.7e9,
    "requested_by": "somebody",
    "engine": "engine",
    "host": "host",
    "software": "repstream",
    "num_requested": 10,
    "id_step": 1,
    "configuration": "{}",
    "checksum": "xxh3",
    "placement": "arrival",
}

TOLD = (
    '{"description": "EIGER2", "detector_number": "E-1", "sensor_material": "Si", '
    '"sensor_thickness": 0.00045, "saturation_value": 60000, "bit_depth_readout": 16, '
    '"omega_start": 0, "omega_increment": 0.1}'
)

SETTINGS = ExperimentConfig(
    title="title",
    proposal="proposal",
    instrument_name="instrument",
    user_name="user",
    sample_name="sample",
    detector_distance=1.0,
    pixel_size_x=75.0,
    pixel_size_y=75.0,
    beam_center_x=1.0,
    beam_center_y=1.0,
    photon_energy=12400.0,
    count_time=1.0,
    frame_time=1.0,
    nexus_metadata='{"goniometer": {"kappa": {"vector": [0, 1, 0], "start": 1}, '
    '"omega": {"vector": [-1, 0, 0]}}}',
).model_dump()

DETECTOR = DetectorFacts(1, "id", TOLD, {"pixel_mask": np.zeros((4, 6), "<u4")}, "", "appendix")

PLAN = FilePlan(
    path=Path("/data/scan.h5"),
    detector_name="detector",
    shape=(4, 6),
    dtype=np.dtype("<u2"),
    members=(
        (ARRIVAL_TIME, np.dtype("<f8")),
        ("gain", np.dtype("<f8")),
        ("checksum", np.dtype("<u8")),
        *channels.members(("low", "high"), "xxh3"),
    ),
    channels=("low", "high"),
    attributes=FACTS,
    user_metadata='{"operator": "A"}',
    detector=DETECTOR,
    experiment=SETTINGS,
    axes=goniometer.axes(SETTINGS, DETECTOR.reported),
)

PART = replace(PLAN, attributes={**FACTS, "master": "scan.h5", "part": 1}, detector=None)
META = replace(PLAN, attributes={**FACTS, "metadata_of": "scan.h5"}, detector=None)

TREES: Mapping[str, Mapping[str, nodes.Node]] = {
    "F": trees.image_tree(PLAN),
    "W": trees.waiting_tree(replace(PLAN, shape=(0, 0), members=(), detector=None, channels=(), axes=())),
    "P": trees.image_tree(PART),
    "S": trees.master_tree(PLAN, ["scan_part0001.h5"], 1000),
    "T": trees.interleaved_tree(PLAN, ["scan_part0.h5", "scan_part1.h5"], "scan_meta.h5", 10),
    "R": trees.rows_tree(META),
}
"""Kinds of files by their letter in the table."""

KINDS = {
    "F": "a file with images",
    "W": "a file that waits for its first image, or got none",
    "P": "a part of several files",
    "S": "the master over files of `images_per_file`",
    "T": "the master over `number_of_parts`, which hold the images in turn; while it grows, and beyond "
    "1,000 images, `/detector/data_in_turn` shows them as rows × parts",
    "R": "the metadata of the latter (`…_meta.h5`)",
}

MADE, GROWS, END = "made", "grows", "end"


class Entry(NamedTuple):
    """One path: the kinds of files that have it, shape and type as text, unit, when it is written."""

    path: str
    kinds: str
    shape: str
    type: str
    unit: str
    when: str


def entries() -> Iterator[Entry]:
    """Every dataset and group of every kind of file, in the order of their paths."""
    for path in sorted({path for tree in TREES.values() for path in tree} - {"/"}):
        kinds = "".join(letter for letter, tree in TREES.items() if path in tree)
        letter = next(letter for letter in kinds if letter != "W" or kinds == "W")
        tree = TREES[letter]
        node = tree[path]
        target = tree[node.target] if isinstance(node, nodes.Link) else node
        shape, kind = described(target)
        link = f" = `{node.target}`" if isinstance(node, nodes.Link) else ""
        unit = str(getattr(target, "attributes", {}).get("units", ""))
        yield Entry(path, kinds, shape, kind + link, unit, when(path, target))


def described(node: nodes.Node) -> tuple[str, str]:
    """Shape and type of a node as text."""
    match node:
        case nodes.Group():
            return "", str(node.attributes.get("NX_class", "group"))
        case nodes.Stack() | nodes.Virtual() | nodes.Interleaved():
            size = ("n", "height", "width") if node.item_shape else ("n",)
            return " × ".join(size), _type(node.dtype)
        case nodes.Table():
            return " × ".join(map(str, node.data.shape)), _type(node.data.dtype)
        case nodes.Zeros():
            return "height × width", _type(node.dtype)
        case nodes.External():
            return "", "link to the part"
        case _:
            return "one", _type(node.dtype)


def when(path: str, node: nodes.Node) -> str:
    """When the values are written."""
    if isinstance(node, nodes.Stack | nodes.Virtual | nodes.Interleaved):
        return GROWS
    name = path.removeprefix(f"{places.ACQUISITION}/")
    return END if name in places.RESULTS or path in (places.END_TIME, places.NIMAGES) else MADE


def _type(dtype: np.dtype[Any]) -> str:
    if dtype.names:
        return "compound"
    return "text" if dtype.kind == "S" else dtype.name


def page(note: str) -> str:
    """The page as Markdown."""
    lines = [
        note,
        "# What is in a file",
        "",
        "Every group and dataset of the files that a writer makes, here with all that may be there: what is",
        "not known (settings of the experiment, what a detector says) is left out. `detector` stands for",
        "`detector_name`, `gain` for a number of the frames' headers, n for the number of images, `low` and",
        "`high` for two channels (thresholds); a file of one has neither these nor `channels`.",
        "",
        *(f"- **{letter}**: {text}" for letter, text in KINDS.items()),
        "",
        "**made**: complete when the file appears. **grows**: follows the images; images come last, so that",
        "what belongs to an image is there before it. **end**: its room is there from the start;",
        "`end_time` has no name until then.",
        "",
        "`status` in the metadata: 0 the image is as it came; 1 it never came, its place is blank (zeros);",
        "2 the file that holds it is gone: a master shows the largest value of an unsigned type, -1 or NaN.",
        "`status_low` says the same of one channel of an image that came. Files with the names of the",
        "standard DAQ have its words, and `status_words` says `std_daq`: 1 a good image, 2 packets are",
        "missing, 3 packets of another image, 0 the place is blank, the largest value the file is gone.",
        "",
        "| Path | In | Shape | Type | Unit | When |",
        "|---|---|---|---|---|---|",
    ]
    for entry in entries():
        path, kinds, *others = entry
        lines.append(f"| `{path}` | {kinds} | {' | '.join(others)} |")
    return "\n".join(lines) + "\n"
