"""The status line while the demo stays up."""

from __future__ import annotations

from repstream.parameters.catalogue import Group
from repstream.protocol import Engine
from repstream_cli.status import number


class LiveStatus:
    """Text of the status line of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self) -> str:
        catalogue, values = self._engine.catalogue, self._engine.snapshot().values
        streams = [
            f"{values[f'streams.{n}.name']} {number(values[f'streams.{n}.rate'])} Hz"
            for n in catalogue.slots(Group.STREAM)
            if values[f"streams.{n}.name"]
        ]
        writers = [
            f"{values[f'writers.{n}.name']} {values[f'writers.{n}.acq_state']} "
            f"{values[f'writers.{n}.num_written']}"
            for n in catalogue.slots(Group.WRITER)
            if values[f"writers.{n}.name"]
        ]
        losing = ", losing" if values["engine.losing"] else ""
        return (
            f"{values['engine.state']}{losing} | received {values['source.received']}, "
            f"{number(values['source.rate'])} Hz, {number(values['source.throughput'])} MB/s, "
            f"missing {values['source.missing']} | {', '.join(streams)} | {', '.join(writers)}"
        )
