"""Whether a file holds all that it should, undamaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files import channels as channel_names
from repstream.files import checksum, gaps, sources
from repstream.files.image_check import ImageCheck
from repstream.files.nexus.places import ACQUISITION, CHANNELS, UNFINISHED
from repstream.files.plan import GOOD
from repstream.files.reader import IMAGES, ROWS, open_file
from repstream.files.row_status import is_std_daq, put_ours

Tick = Callable[[int, int], None]
"""Called with (images looked at, images in all)."""

MOST_DAMAGED = 1000


@dataclass(slots=True)
class Findings:
    """What `verify` found in a file and in those it refers to.

    `images`: places in the file, `blank` of these without an image, which never came.
    `missing`: ids that never came, as ranges, `missing_count` how many in all. `repeated`: ids
    that are there twice. `dropped`: images that came and were lost, by reason. `damaged`:
    (number, what is wrong) of images that cannot be read or are not what was written, the
    first 1,000. `checked`: ``"xxh3"`` or ``"crc32c"``, else ``"readable"``. `files`: those
    that were read. `problems`: a sentence for each thing that is wrong. `requested`: images
    that were asked for, 0 = as many as come. `missing_by_channel`: channel -> ids of its images that did
    not come, though those of other channels did.
    """

    path: str
    outcome: str = ""
    message: str = ""
    images: int = 0
    blank: int = 0
    missing_count: int = 0
    missing: list[gaps.Range] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    damaged: list[tuple[int, str]] = field(default_factory=list)
    checked: str = "readable"
    files: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requested: int = 0
    missing_by_channel: dict[str, list[int]] = field(default_factory=dict)

    @property
    def cut_short(self) -> bool:
        """Whether the acquisition ended in good order with fewer images than were asked for."""
        return self.outcome == "interrupted" and self.images - self.blank < self.requested

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing is damaged."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {"complete": self.complete, "cut_short": self.cut_short, **asdict(self)}


def verify(path: str | os.PathLike[str], tick: Tick = lambda done, total: None) -> Findings:
    """Look at every image of a file, through a virtual dataset into the files it refers to.

    Raises StorageError where the file cannot be opened or is none with images.
    """
    path = Path(path)
    found = Findings(os.fspath(path))
    # Files that a master names lie beside itself, not beside a link to it.
    path = path.resolve()
    with open_file(path) as file:
        try:
            facts = _facts(file)
            if "metadata_of" in facts:
                raise StorageError(
                    f"{path} has metadata alone; verify {facts['metadata_of']}, which shows it"
                )
            found.outcome, found.message = str(facts.get("outcome", "")), str(facts.get("message", ""))
            images = file.get(IMAGES)
            if isinstance(images, h5py.Dataset):
                found.images = len(images)
                channels = _channels(facts)
                for number, channel in enumerate(channels):
                    _Images(found, tick, channel, number, len(channels)).check(path, file, file[channel.path])
                if lost := _lost_rows(path, file.get(ROWS), images):
                    found.problems += [f"{name} does not exist" for name in lost]
                else:
                    rows = _readable_rows(file, found)
                    _check_rows(rows, facts, found)
                    _check_channels(rows, channels, found)
            elif not facts:
                raise StorageError(f"{path} has no images under {IMAGES}")
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise StorageError(f"{path} cannot be read: {error}") from error
    _judge(facts, found)
    return found


def _facts(file: h5py.File) -> dict[str, Any]:
    """Everything that the file says about its acquisition."""
    group = file.get(ACQUISITION)
    if not isinstance(group, h5py.Group):
        return {}
    values = {name: item[()] for name, item in group.items() if isinstance(item, h5py.Dataset)}
    return {name: v.decode(errors="replace") if isinstance(v, bytes) else v for name, v in values.items()}


def _lost_rows(path: Path, rows: object, images: h5py.Dataset) -> list[Path]:
    """Files that only the metadata refer to and that are gone: zeros would stand for what is in them."""
    if not isinstance(rows, h5py.Dataset) or not rows.is_virtual or not images.is_virtual:
        return []
    with_images = {source.file_name for source in images.virtual_sources()}
    others = {source.file_name for source in rows.virtual_sources()} - with_images
    return [path.parent / name for name in sorted(others) if not (path.parent / name).exists()]


def _rows(file: h5py.File, path: str, count: int) -> NDArray[Any] | None:
    rows = file.get(path)
    if not isinstance(rows, h5py.Dataset) or "image_id" not in (rows.dtype.names or ()):
        return None
    found: NDArray[Any] = rows[:count]
    if is_std_daq(_facts(file)):
        put_ours(found)
    return found


def _readable_rows(file: h5py.File, found: Findings) -> NDArray[Any] | None:
    """The metadata; where a file that holds some of it cannot be read, that is one problem of all."""
    try:
        return _rows(file, ROWS, found.images)
    except OSError as error:
        found.problems.append(f"the metadata cannot be read: {error}")
        return None


class _Channel(NamedTuple):
    """One dataset of images: the members of the metadata with its status and its checksums."""

    path: str = IMAGES
    name: str = ""
    status: str = "status"
    checksum: str = checksum.MEMBER


def _channels(facts: Mapping[str, Any]) -> list[_Channel]:
    """All datasets of images in a file; one where there are no channels."""
    paths = channel_names.from_text(str(facts.get(CHANNELS, "")))
    sums = channel_names.sums(list(paths))
    found = [
        _Channel(path, name, channel_names.status(label), member)
        for (name, path), label, member in zip(
            paths.items(), channel_names.labels(list(paths)), sums, strict=False
        )
    ]
    return found or [_Channel()]


class _Images:
    """Checks the images of a channel in a file and in those that it refers to, after `number` others."""

    def __init__(self, found: Findings, tick: Tick, channel: _Channel, number: int, channels: int) -> None:
        self._found = found
        self._tick = tick
        self._channel = channel
        self._done, self._total = number * found.images, channels * found.images

    def check(self, path: Path, file: h5py.File, images: h5py.Dataset) -> None:
        self._note(path)
        if len(images) < self._found.images:
            name, count = self._channel.name, len(images)
            self._found.problems.append(f"{name} has {count} of {self._found.images} images")
        if not images.is_virtual:
            self._check_file(path, file, images, np.arange(len(images)))
            return
        covered = 0
        for source, numbers in sources.of(file, images).items():
            covered += len(numbers)
            self._check_part(path.parent / source.file, source.dataset, numbers)
        if covered < len(images):
            self._found.problems.append(f"{len(images) - covered} images are in none of the files")

    def _check_part(self, path: Path, name: str, numbers: NDArray[Any]) -> None:
        problems = self._found.problems
        try:
            with open_file(path) as file:
                self._note(path)
                images = file[name]
                if len(images) < len(numbers):
                    problems.append(f"{path} has {len(images)} of {len(numbers)} images")
                self._check_file(path, file, images, numbers[: len(images)])
        except (StorageError, KeyError) as error:
            problems.append(str(error))

    def _check_file(self, path: Path, file: h5py.File, images: h5py.Dataset, numbers: NDArray[Any]) -> None:
        """Check the images of one file; `numbers` are theirs in the whole."""
        found = self._found
        rows = _rows(file, f"{images.parent.name}/metadata", len(images))
        rows = _rows(file, ROWS, len(images)) if rows is None else rows
        members = {"status": self._channel.status, "checksum_member": self._channel.checksum}
        with ImageCheck(path, images, rows, _facts(file), **members) as check:
            found.checked = check.how
            for index, number in enumerate(numbers.tolist()):
                if (wrong := check(index)) and len(found.damaged) < MOST_DAMAGED:
                    found.damaged.append((number, f"{wrong}{self._where}"))
                self._done += 1
                self._tick(self._done, self._total)

    def _note(self, path: Path) -> None:
        if os.fspath(path) not in self._found.files:
            self._found.files.append(os.fspath(path))

    @property
    def _where(self) -> str:
        return f" ({self._channel.name})" if self._channel.name else ""


def _check_rows(rows: NDArray[Any] | None, facts: Mapping[str, Any], found: Findings) -> None:
    if rows is None:
        return
    if len(rows) < found.images:
        found.problems.append(f"there is metadata of {len(rows)} images only")
    came = rows["status"] == GOOD if "status" in (rows.dtype.names or ()) else np.ones(len(rows), bool)
    found.blank = int(len(rows) - np.count_nonzero(came))
    _check_ids(rows["image_id"][came].tolist(), facts, found)


def _check_channels(rows: NDArray[Any] | None, channels: Sequence[_Channel], found: Findings) -> None:
    """Find the images that are missing in one channel alone."""
    for channel in channels:
        if channel.name and rows is not None and channel.status in (rows.dtype.names or ()):
            missing = (rows["status"] == GOOD) & (rows[channel.status] != GOOD)
            if ids := rows["image_id"][missing].tolist():
                found.missing_by_channel[channel.name] = ids


def _check_ids(ids: list[int], facts: Mapping[str, Any], found: Findings) -> None:
    """Find missing and repeated ids.

    Where frames were left out as planned, or the numbering began anew, only the writer knew which
    are missing: then its own account counts. So too in a part of a file whose images lie in several
    in turn; until that is finished nothing can be said.
    """
    in_turn = "part" in facts and "number_of_parts" in facts
    if in_turn and found.outcome == UNFINISHED:
        return
    log = gaps.GapLog(int(facts.get("id_step", 1)))
    for frame_id in ids:
        log.observe(frame_id)
    planned = in_turn or json.loads(str(facts.get("skipped_by_reason") or "{}")).get("policy", 0)
    if found.outcome not in ("", UNFINISHED) and (planned or facts.get("series", 1) != 1):
        found.missing_count = int(facts.get("missing", 0))
        found.missing = gaps.from_text(str(facts.get("missing_ids", "")))
    else:
        # The writer knew where the numbering begins and ends if its source said so.
        reported = gaps.from_text(str(facts.get("missing_ids", "")))
        found.missing = gaps.joined(log.missing_ids, reported)
        found.missing_count = max(gaps.count(found.missing), int(facts.get("missing", 0)), log.missing)
        found.repeated = log.repeated if not log.resets else []


def _judge(facts: Mapping[str, Any], found: Findings) -> None:
    """Say in sentences what keeps the file from being complete."""
    problems = found.problems
    if found.outcome == UNFINISHED:
        problems.append("not finished: its writer is still at it, or was killed")
    elif found.outcome not in ("", "completed", "interrupted"):
        problems.append(f"{found.outcome}: {found.message}")
    elif facts and facts.get("written") != found.images - found.blank:
        problems.append(f"{facts.get('written')} images were written, {found.images - found.blank} are there")
    found.requested = int(facts.get("num_requested", 0))
    if found.outcome == "completed" and found.images - found.blank + found.missing_count < found.requested:
        problems.append(f"{found.requested} images were asked for, {found.images} are there")
    if found.missing_count:
        problems.append(f"{found.missing_count} images never came: {gaps.as_text(found.missing, 200)}")
    for channel, ids in found.missing_by_channel.items():
        which = gaps.as_text(gaps.joined([(number, number) for number in ids], []), 200)
        problems.append(f"{len(ids)} images of {channel} did not come: {which}")
    found.dropped = json.loads(str(facts.get("dropped_by_reason") or "{}"))
    if found.dropped:
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.dropped.items())
        problems.append(f"{sum(found.dropped.values())} images came and were dropped ({reasons})")
    if found.repeated:
        problems.append(f"{len(found.repeated)} ids are there more than once")
    if found.damaged:
        number, wrong = found.damaged[0]
        problems.append(f"{len(found.damaged)} images are damaged, the first is {number}: {wrong}")
