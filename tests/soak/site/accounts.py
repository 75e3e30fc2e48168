"""Whether a file and what was shown of it say the same, and whether that is what the detector sent."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np

from repstream.errors import StorageError
from repstream.files.verify import verify
from repstream.sources.images import Images

IMAGES, ROWS, FACTS = "/entry/data/data", "/entry/instrument/detector/metadata", "/entry/acquisition"


@dataclass
class Found:
    """What became of an acquisition. `shown`: what was shown of it last, empty where nobody was left."""

    path: Path
    requested: int
    shown: Mapping[str, Any]
    reported: int
    outcome: str = ""
    images: int = 0
    missing: int = 0
    dropped: int = 0


def judged(found: Found, ids: Sequence[int], images: Images) -> Iterator[str]:
    """What is wrong, a sentence each; fills in `found`. `ids`: those that the detector has sent, in order."""
    found.outcome = str(found.shown.get("acq_result", ""))
    if found.shown:
        yield from _sums(found.shown)
    if not found.path.exists():
        found.outcome = found.outcome or "unfinished"
        if found.reported or found.outcome == "completed":
            yield f"there is no file, and {found.reported} images were reported"
        return
    try:
        with h5py.File(found.path) as file:
            facts = {name: _plain(item[()]) for name, item in file[FACTS].items()}
            found.outcome = found.outcome or facts["outcome"]
            yield from _contents(found, file, facts, ids, images)
    except (OSError, KeyError) as error:
        yield f"h5py cannot read it: {error!r}"
        return
    try:
        yield from _verdict(found, facts)
    except StorageError as error:
        if found.images:
            yield f"verify cannot read it: {error}"


def _sums(shown: Mapping[str, Any]) -> Iterator[str]:
    parts = [shown[name] for name in ("sent", "skipped", "dropped", "queued")]
    if shown["offered"] != sum(parts):
        yield f"{shown['offered']} offered are not sent + skipped + dropped + queued = {parts}"
    if shown["queued"]:
        yield f"{shown['queued']} are still queued"


def _contents(
    found: Found, file: h5py.File, facts: Mapping[str, Any], sent: Sequence[int], images: Images
) -> Iterator[str]:
    data = file.get(IMAGES)
    if data is None:
        return
    rows = file[ROWS][: len(data)]
    good = [n for n, status in enumerate(rows["status"].tolist()) if status == 0]
    ids = [int(rows["image_id"][n]) for n in good]
    found.images = len(good)
    if found.images < found.reported:
        yield f"{found.reported} images were reported, {found.images} are there"
    if ids:
        # Where ids decide on places, the last ones may be among those that were left out.
        has_all_places = facts["placement"] == "by_id" and facts["outcome"] == "completed"
        stop = ids[0] + found.requested if has_all_places else ids[-1] + 1
        wanted = list(sent[bisect_left(sent, ids[0]) : bisect_left(sent, stop)])
        if ids != wanted:
            pairs = enumerate(zip_longest(ids, wanted))
            at, (there, right) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
            yield f"image {at} is {there} and should be {right}"
        found.missing = stop - ids[0] - len(ids)
    wrong = [n for n, i in zip(good, ids, strict=True) if not np.array_equal(data[n], images(i))]
    if wrong:
        yield f"images {wrong[:5]} are not what was sent ({len(wrong)} in all)"
    if facts["outcome"] not in ("", "unfinished"):
        yield from _facts(found, facts)


def _facts(found: Found, facts: Mapping[str, Any]) -> Iterator[str]:
    """A file that was closed in order agrees with its images and with what is shown."""
    if facts["written"] != found.images:
        yield f"the file says that {facts['written']} were written, {found.images} are there"
    found.dropped = int(facts["dropped"])
    dropped = json.loads(facts["dropped_by_reason"] or "{}")
    if sum(dropped.values()) != found.dropped:
        yield f"dropped {found.dropped} in the file, by reason {dropped}"
    if not found.shown:
        return
    if facts["outcome"] != found.outcome:
        yield f"{found.outcome} is shown, the file says {facts['outcome']}"
    for name, shown in (("written", "num_written"), ("dropped", "dropped"), ("missing", "num_missing")):
        if shown in found.shown and facts[name] != found.shown[shown]:
            yield f"{name}: {facts[name]} in the file, {found.shown[shown]} shown"


def _verdict(found: Found, facts: Mapping[str, Any]) -> Iterator[str]:
    """What `repstream verify` says is true."""
    verdict = verify(found.path)
    if verdict.damaged or verdict.repeated:
        yield f"verify finds damage: {verdict.damaged[:3]} {verdict.repeated[:3]}"
    whole = facts["outcome"] == "completed" and not found.missing and not found.dropped
    if whole != (verdict.complete and not verdict.cut_short):
        yield f"verify: complete {verdict.complete}, cut short {verdict.cut_short}: {verdict.problems}"
    if verdict.missing_count != found.missing and facts["outcome"] == "completed":
        yield f"verify: {verdict.missing_count} missing, {found.missing} of those sent between are not there"


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
