"""What each of several receivers is given: its own addresses, its own file. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from repstream.dataplane.control import AcquisitionPlan, Turn
from repstream.errors import Refused
from repstream.files.interleaved import turn_paths
from repstream.parameters.configuration import Configuration
from repstream.parameters.receivers import beside, parse_addresses, parse_cpus
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.policies.decimation import BY_ID, Decimation

MERGER_MEMORY = 32
"""MiB that wait in the socket of a data plane that merges a stream; more waits where it is counted."""


def merged_streams(configuration: Configuration) -> tuple[str, ...]:
    """The streams that several receivers send as one, in the order of ids."""
    if configuration.source.receivers == 1:
        return ()
    return tuple(name for name, stream in configuration.streams.items() if stream.enable and stream.merged)


def share_of(
    configuration: Configuration, receiver: int, merged: Mapping[str, str] = MappingProxyType({})
) -> Configuration:
    """The configuration of one receiver, counted from 0, where `check_receivers` has no complaint.

    `merged`: where streams go that are merged, by name. A receiver leaves out of them what it can by the id,
    and nothing else: what counts, looks at the clock, or makes other messages sees the frames of all.
    """
    source = configuration.source
    addresses = parse_addresses(source.receiver_addresses)
    address = addresses[receiver] if addresses else source.address
    # Named in both ways: no receiver is then taken up as a data plane that runs the whole configuration.
    source = source.model_copy(update={"address": address, "receiver_addresses": address})
    if source.receiver_cpus:
        own = source.receiver_cpus.split(",")[receiver].strip()
        source = source.model_copy(update={"receiver_cpus": own})
    streams = {
        name: _lane_of(stream, merged[name])
        if name in merged
        else stream.model_copy(update={"address": beside(stream.address, receiver)})
        for name, stream in configuration.streams.items()
        if stream.enable
    }
    return configuration.model_copy(
        update={"source": source, "streams": {**configuration.streams, **streams}}
    )


def turn_of(source: SourceConfig, receiver: int) -> Turn | None:
    """Which frames a receiver takes where all get the same; None where each gets others."""
    shares = source.mode == "SUB" and not source.receiver_addresses
    return Turn(receiver, source.receivers) if shares else None


def share_of_merger(configuration: Configuration, name: str, address: str) -> Configuration:
    """The configuration of the data plane that merges a stream, whose messages come to `address`."""
    source = configuration.source.model_copy(
        update={
            "address": address,
            "mode": "PULL",
            "connection": "bind",
            "curve_key": "",
            "curve_peers": "",
            "buffer_memory": MERGER_MEMORY,
            "receiver_addresses": "",
            "receiver_cpus": "",
        }
    )
    stream = configuration.streams[name]
    if stream.policy in BY_ID:
        stream = stream.model_copy(update={"policy": Decimation.FORWARD})
    return configuration.model_copy(
        update={"source": source, "streams": {name: stream}, "writers": {}, "pictures": {}}
    )


def check_receivers(subject: str, configuration: Configuration) -> None:
    """Raise `Refused` where the source cannot have several receivers, or two outputs have one address."""
    source = configuration.source
    if source.receivers > 1:
        for complaint in _complaints(source):
            raise Refused(subject, f"source.receivers is {source.receivers}: {complaint}")
    receivers = range(source.receivers)
    inputs = {source.address, *(parse_addresses(source.receiver_addresses) if len(receivers) > 1 else ())}
    seen: dict[str, str] = {}
    for name, stream in configuration.streams.items():
        if not stream.enable:
            continue
        for receiver in receivers[:1] if stream.merged else receivers:
            try:
                address = beside(stream.address, receiver)
            except ValueError as error:
                raise Refused(subject, f"stream {name}: {error}") from error
            if address in inputs:
                raise Refused(subject, f"stream {name} has the address of the source, {address}")
            if (other := seen.setdefault(address, name)) != name:
                raise Refused(subject, f"streams {other} and {name} have the same address {address}")


def check_writer(subject: str, writer: WriterConfig, source: SourceConfig) -> None:
    """Raise `Refused` for what a writer cannot do where several receivers share its images."""
    if source.receivers == 1:
        return
    wrong = {
        "number_of_parts, part_names and part_services": writer.in_parts,
        "images_per_file": writer.images_per_file > 0,
        "follow_series": writer.follow_series,
        "trigger_attribute": bool(writer.trigger_attribute),
        "keep_frames and keep_time": writer.keep_frames > 0 or writer.keep_time > 0,
        f"policy {writer.policy}": writer.policy not in (Decimation.FORWARD, Decimation.SEND_EVERY_NTH),
    }
    for what, is_set in wrong.items():
        if is_set:
            reason = f"with {source.receivers} receivers a writer has no {what}: each of them would act alone"
            raise Refused(subject, reason)
    if "," in source.channel or "," in source.threshold or source.threshold == "*":
        raise Refused(subject, "with several receivers a writer takes one channel; choose it at the source")


def image_step(writer: WriterConfig, source: SourceConfig) -> int:
    """The distance of the ids of a writer's images; 0 where one receiver gets them all."""
    if source.receivers == 1:
        return 0
    every = writer.every_nth if writer.policy == Decimation.SEND_EVERY_NTH else 1
    return math.lcm(source.id_step, every)


def part_of(plan: AcquisitionPlan, part: int, receivers: int) -> AcquisitionPlan:
    """The plan of one of the files of an acquisition: when it ends is not for its receiver to say."""
    path = Path(plan.path)
    own = turn_paths(path, part + 1)[part]
    facts = {"part": part, "number_of_parts": receivers, "master": path.name}
    return msgspec.structs.replace(
        plan,
        path=str(own),
        placement="arrival",
        keep_empty_file=True,
        attributes={**plan.attributes, **facts},
        first_image_timeout=0.0,
        idle_timeout=0.0,
        max_duration=0.0,
    )


def _lane_of(stream: StreamConfig, address: str) -> StreamConfig:
    """A stream of a receiver that goes to the data plane that merges it."""
    own = {"address": address, "mode": "PUSH", "curve_key": "", "curve_peers": "", "header": "unchanged"}
    policy = stream.policy if stream.policy in BY_ID else Decimation.FORWARD
    return stream.model_copy(update={**own, "format": "unchanged", "policy": policy})


def _complaints(source: SourceConfig) -> Iterator[str]:
    number, addresses = source.receivers, parse_addresses(source.receiver_addresses)
    if not source.address.startswith(("tcp://", "ipc://")):
        yield f"{source.address} is read by one process; set it to 1, or take a ZMQ address"
    if addresses and len(addresses) != number:
        yield f"receiver_addresses names {len(addresses)} addresses; name {number}, or none"
    if not addresses and source.connection == "bind":
        yield "one process can bind an address; name one for each in receiver_addresses, or connect"
    if (cpus := parse_cpus(source.receiver_cpus)) and len(cpus) != number:
        yield f"receiver_cpus names cores for {len(cpus)} receivers; name them for {number}, or none"
