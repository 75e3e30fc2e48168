"""What the demo consists of: ports, configuration, and the processes around the engine."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repstream.parameters import first
from repstream.parameters.configuration import Configuration
from repstream.parameters.first import PREVIEW
from repstream.parameters.picture import PictureConfig
from repstream.parameters.source import SourceConfig
from repstream.parameters.stream import StreamConfig
from repstream.parameters.writer import WriterConfig
from repstream.policies.decimation import Decimation
from repstream.service.options import ServiceOptions
from repstream_cli import ports
from repstream_cli.children import Child
from repstream_cli.stack import EpicsOptions, HttpOptions, StackOptions, TangoOptions

HOST = "127.0.0.1"
WRITER = "main"


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How the demo runs; `shape` is (height, width) of the uint16 images, `rate` in Hz.

    All files that it makes lie in `folder`, and their names begin with `name`.
    """

    folder: Path
    name: str = "demo_001"
    shape: tuple[int, int] = (1200, 2016)
    rate: float = 20.0
    images: int = 100
    any_ports: bool = False

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.h5"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"


@dataclass(frozen=True, slots=True)
class Ports:
    """Usual ports, or free ones in the place of those that are taken."""

    engine: int
    http: int
    epics: int
    database: int
    detector: int
    streams: tuple[int, int, int]


def choose_ports(any_ports: bool) -> Ports:
    """The usual ports where they are free, unless `any_ports`; no port twice."""
    chosen: set[int] = set()

    def port(usual: int, udp: bool = False) -> int:
        # A port that was chosen is free until somebody listens there.
        while (found := ports.free(HOST, 0 if any_ports else usual, udp)) in chosen:
            pass
        chosen.add(found)
        return found

    return Ports(
        engine=port(9600),
        http=port(8000),
        epics=port(5064, udp=True),
        database=port(10000),
        detector=port(9609),
        streams=(port(9610), port(9611), port(9612)),
    )


@contextmanager
def alone() -> Iterator[None]:
    """Keeps other demos of this user from choosing ports until those that were chosen are in use."""
    lock = Path(tempfile.gettempdir()) / f"repstream-demo-{os.getuid()}.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def configuration(chosen: Ports, shape: tuple[int, int]) -> Configuration:
    """Three live streams (all frames, ten a second, two in ten), a picture, and one writer that takes all.

    The streams publish: frames that nobody looks at are no loss.
    """
    everything, preview, pairs = (f"tcp://{HOST}:{port}" for port in chosen.streams)
    two_in_ten = Decimation.SEND_EVERY_NTH_FRAME
    return Configuration(
        source=SourceConfig(address=f"tcp://{HOST}:{chosen.detector}"),
        streams={
            "all": StreamConfig(address=everything, mode="PUB"),
            PREVIEW: StreamConfig.model_validate(first.preview(preview)),
            "pairs": StreamConfig(address=pairs, mode="PUB", policy=two_in_ten, burst=2, frame_block=10),
        },
        writers={WRITER: WriterConfig()},
        pictures={"1": PictureConfig(stream=PREVIEW, centre_threshold=4800, **regions(shape))},
    )


def regions(shape: tuple[int, int]) -> dict[str, Any]:
    """Two regions of the simulated images: where the beam wanders, and a piece of a ring."""
    height, width = shape
    places = {"Beam": (0.5, 0.25, 0.28, 0.5), "Ring": (0.43, 0.29, 0.14, 0.06)}
    fields: dict[str, Any] = {}
    for n, (name, (y, x, high, wide)) in enumerate(places.items(), 1):
        place = {
            "y": y * height,
            "x": x * width,
            "height": max(1, high * height),
            "width": max(1, wide * width),
        }
        fields |= {f"roi{n}_name": name, **{f"roi{n}_{field}": int(size) for field, size in place.items()}}
    return fields


def stack_options(options: DemoOptions, chosen: Ports) -> StackOptions:
    """What the demo starts: an engine with all front ends, at the chosen ports."""
    return StackOptions(
        engine=ServiceOptions(roots=(options.folder,), configuration=configuration(chosen, options.shape)),
        engine_address=f"tcp://{HOST}:{chosen.engine}",
        host=HOST,
        tango=TangoOptions(0, f"{HOST}:{chosen.database}", "demo", register=True),
        epics=EpicsOptions(chosen.epics),
        http=HttpOptions(chosen.http),
    )


def database(chosen: Ports) -> Child:
    """A Tango database in memory."""
    command = [sys.executable, "-m", "databaseds.database", "--host", HOST, "--port", str(chosen.database)]
    environment = {"PYTANGO_DATABASE_NAME": ":memory:", "TANGO_HOST": f"{HOST}:{chosen.database}"}
    return Child("database", [*command, "--print-host-port", "2"], "port=", environment)


def detector(options: DemoOptions, chosen: Ports) -> Child:
    """The simulated detector."""
    size = "x".join(map(str, options.shape))
    command = [sys.executable, "-m", "repstream_cli", "simulate", "--size", size, "--rate", str(options.rate)]
    return Child("detector", [*command, "-a", f"tcp://{HOST}:{chosen.detector}"], "sending to")
