"""The detector's configuration document, as the standard DAQ has it, over the engine's parameters.

Some keys stand for parameters and always show their values; all others describe parts of a
standard DAQ that this engine does without (modules, UDP ports, their assembly), and are kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from repstream.errors import InvalidValue
from repstream.parameters.complaints import complaint

PIXEL_TYPES = {8: "uint8", 16: "uint16", 32: "uint32"}
BIT_DEPTHS = {name: bits for bits, name in PIXEL_TYPES.items()}

LIVE = "live{}"
"""Names of the streams that `live_stream_configs` makes."""

POLICIES = {"forward": (), "batch": ("burst", "frame_block"), "periodic": ("burst", "burst_rate")}
"""The types of `live_stream_configs`, which are names of policies, and the parameters of each."""

Size = Annotated[int, Field(ge=1, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class LiveStream(BaseModel):
    """The policy of one live stream."""

    model_config = ConfigDict(strict=True, extra="forbid")

    type: Literal["forward", "batch", "periodic"]
    config: list[Annotated[int | float, Field(gt=0, le=1e9)]] = []


class Document(BaseModel):
    """The whole document; what is not optional must stand in the first one."""

    model_config = ConfigDict(strict=True, extra="forbid")

    detector_name: Annotated[str, Field(min_length=1, max_length=64)]
    detector_type: Literal[
        "eiger", "gigafrost", "jungfrau", "bsread", "pco", "jungfrau-raw", "jungfrau-converted"
    ]
    bit_depth: Literal[8, 16, 32]
    image_pixel_height: Size
    image_pixel_width: Size
    n_modules: Count
    start_udp_port: Annotated[int, Field(ge=0, le=65535)]
    module_positions: dict[str, list[int]]
    writer_user_id: int = -1
    submodule_info: dict[str, Any] | None = None
    live_stream_configs: dict[str, LiveStream] | None = None
    number_of_writers: Annotated[int, Field(ge=0, le=32)] | None = None
    gpfs_block_size: Count | None = None
    stats_collection_period: Count | None = None
    log_level: str | None = None
    ram_buffer_gb: Annotated[float, Field(ge=0)] | None = None
    module_sync_queue_size: Count | None = None
    max_number_of_forwarders_spawned: Count | None = None
    use_all_forwarders: bool | None = None
    sender_sends_full_images: bool | None = None
    delay_filter_timeout: Count | None = None
    switch_user_active: bool | None = None


def merged(held: Mapping[str, Any] | None, given: Mapping[str, Any]) -> Document:
    """The document with what is given changed; `held` is None before the first.

    `module_positions` and `live_stream_configs` are replaced as a whole. Raises `InvalidValue`.
    """
    try:
        return Document.model_validate({**(held or {}), **given})
    except ValidationError as error:
        raise InvalidValue("config", complaint(error, Document)) from error


def shown(document: Document) -> dict[str, Any]:
    """The document as JSON has it, without what was never given."""
    return document.model_dump(exclude_none=True)


def as_changes(
    document: Document, given: Collection[str], configuration: Mapping[str, Any], writer: str
) -> dict[str, Any]:
    """What the keys `given` of a document mean in the engine's configuration; the others change nothing.

    `writer` is the name of writer 1.
    """
    source: dict[str, Any] = {}
    written: dict[str, Any] = {"status_words": "std_daq"}
    for key in given:
        match key, getattr(document, key):
            case "image_pixel_height", height:
                source["image_height"] = height
            case "image_pixel_width", width:
                source["image_width"] = width
            case "bit_depth", bits:
                source["image_type"] = PIXEL_TYPES[bits]
            case "detector_name", name:
                written["detector_name"] = name
            case "writer_user_id", user:
                written["user_id"] = max(user, 0)
            case "number_of_writers", int(number):
                written["number_of_parts"] = max(number, 1)
                written["part_names"] = "std_daq" if number > 1 else "repstream"
            case "gpfs_block_size", int(size):
                written["block_size"] = size
    changes: dict[str, Any] = {"source": source, "writers": {writer: written}}
    if "live_stream_configs" in given and document.live_stream_configs is not None:
        changes["streams"] = _streams(document.live_stream_configs, configuration["streams"])
    return changes


def held(kept: str, configuration: Mapping[str, Any], writer: str) -> dict[str, Any] | None:
    """The document in force: what was kept, with the parameters' values; None before the first."""
    if not kept:
        return None
    document: dict[str, Any] = json.loads(kept)["config"]
    source, written = configuration["source"], configuration["writers"].get(writer, {})
    document["image_pixel_height"] = source["image_height"] or document["image_pixel_height"]
    document["image_pixel_width"] = source["image_width"] or document["image_pixel_width"]
    document["bit_depth"] = BIT_DEPTHS.get(source["image_type"], document["bit_depth"])
    document["detector_name"] = written.get("detector_name", document["detector_name"])
    if document.get("gpfs_block_size") is not None:
        document["gpfs_block_size"] = written.get("block_size", document["gpfs_block_size"])
    if max(document.get("writer_user_id", -1), 0) != written.get("user_id", 0):
        document["writer_user_id"] = written["user_id"]
    writers = document.get("number_of_writers")
    if writers is not None and max(writers, 1) != written.get("number_of_parts", max(writers, 1)):
        document["number_of_writers"] = written["number_of_parts"]
    if document.get("live_stream_configs") is not None:
        document["live_stream_configs"] = _live(document["live_stream_configs"], configuration["streams"])
    return document


def _live(kept: Mapping[str, Any], streams: Mapping[str, Any]) -> dict[str, Any]:
    """The policies that the live streams have now.

    These are the streams at an address of the document and those made for it. A policy that the
    document has no name for is shown as it was set by it.
    """
    found = {}
    for name, stream in streams.items():
        address, policy = stream["address"], stream["policy"]
        if policy in POLICIES and (address in kept or _is_ours(name)):
            found[address] = {"type": policy, "config": [stream[field] for field in POLICIES[policy]]}
        elif address in kept:
            found[address] = kept[address]
    return found


def _streams(live: Mapping[str, LiveStream], streams: Mapping[str, Any]) -> dict[str, Any]:
    """A stream for each address: the one that is there, or a new one; those made earlier go."""
    at = {stream["address"]: name for name, stream in streams.items()}
    changes: dict[str, Any] = {name: None for name in streams if _is_ours(name)}
    free = (name for n in range(1, 100) if (name := LIVE.format(n)) not in streams)
    for address, policy in live.items():
        name = at.get(address) or next(free)
        changes[name] = {
            "address": address,
            "mode": "PUB",
            "policy": policy.type,
            **policy_parameters(address, policy),
        }
    return changes


def _is_ours(name: str) -> bool:
    """Whether a stream has a name that `live_stream_configs` gives."""
    prefix = LIVE.format("")
    return name.startswith(prefix) and name.removeprefix(prefix).isdecimal()


def policy_parameters(address: str, policy: LiveStream) -> dict[str, Any]:
    """The parameters of a stream's policy. Raises `InvalidValue` for another number of them than it has."""
    names = POLICIES[policy.type]
    if len(policy.config) != len(names):
        wanted = " and ".join(names) or "nothing"
        raise InvalidValue(
            f"live_stream_configs {address}", f"config of {policy.type} holds {wanted}, not {policy.config}"
        )
    values = (v if name == "burst_rate" else int(v) for name, v in zip(names, policy.config, strict=True))
    return dict(zip(names, values, strict=True))
