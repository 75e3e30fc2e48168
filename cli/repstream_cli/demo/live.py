"""The status line while the demo stays up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from repstream.parameters.catalogue import Group
from repstream.parameters.facts import Value
from repstream.parameters.output_status import OutputStatus, StreamStatus
from repstream.parameters.status import EngineStatus, SourceStatus
from repstream.parameters.writer_status import AcquisitionStatus, WriterStatus
from repstream.protocol import Engine
from repstream_cli.status import number


class LiveStatus:
    """Text of the status line of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self) -> str:
        catalogue, values = self._engine.catalogue, self._engine.snapshot().values

        def named(group: str) -> Iterator[Mapping[str, Value]]:
            """The values of each occupied slot, by field."""
            for slot in catalogue.slots(group):
                fields = catalogue.fields(values, group, slot)
                if OutputStatus.of(fields).name:
                    yield fields

        engine = EngineStatus.of(catalogue.fields(values, Group.ENGINE))
        source = SourceStatus.of(catalogue.fields(values, Group.SOURCE))
        streams = map(StreamStatus.of, named(Group.STREAM))
        writers = ((WriterStatus.of(fields), AcquisitionStatus.of(fields)) for fields in named(Group.WRITER))
        return (
            f"{engine.state}{', losing' if engine.losing else ''} | received {source.received}, "
            f"{number(source.rate)} Hz, {number(source.throughput)} MB/s, missing {source.missing}"
            f" | {', '.join(f'{stream.name} {number(stream.rate)} Hz' for stream in streams)}"
            f" | {', '.join(f'{w.name} {newest.acq_state} {newest.num_written}' for w, newest in writers)}"
        )
