"""`repstream simulate`: a detector that is not there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
import zmq

from repstream.errors import StorageError
from repstream.messages import array_1_0
from repstream.messages.frame import PIXEL_TYPES
from repstream.sources.images import Image, Images
from repstream.sources.simulation import (
    Counts,
    Detector,
    Faults,
    Parts,
    disturbed,
    recorded,
    recorded_files,
    run,
    synthetic,
)
from repstream_cli.exits import Exit
from repstream_cli.file_replay import image_bytes, replayed
from repstream_cli.interrupt import until_interrupted
from repstream_cli.progress import Meter, ProgressLine
from repstream_cli.sizes import size as parse_size
from repstream_cli.stream_socket import CurveKey, CurvePeers, encryption

LAST_ID = 2**64 - 1


def _pixel_type(text: str) -> str:
    if text not in PIXEL_TYPES:
        raise typer.BadParameter(f"{text!r} is no pixel type; one of {', '.join(PIXEL_TYPES)}")
    return text


def simulate(
    *,
    address: Annotated[
        str, typer.Option("--address", "-a", help="Address to bind; port * takes a free one.")
    ] = "tcp://127.0.0.1:9609",
    mode: Annotated[
        Literal["push", "pub"], typer.Option("--mode", "-m", help="push waits for a consumer, pub does not.")
    ] = "push",
    connect: Annotated[bool, typer.Option("--connect", help="Connect to the address instead.")] = False,
    size: Annotated[
        Any, typer.Option(parser=parse_size, metavar="HxW", help="Height and width in pixels.")
    ] = "1200x2016",
    pixel_type: Annotated[
        str, typer.Option("--type", parser=_pixel_type, metavar="TYPE", help="Pixel type, such as uint16.")
    ] = "uint16",
    rate: Annotated[
        float, typer.Option("--rate", "-r", min=0, help="Frames a second; 0: at full speed.")
    ] = 20,
    number: Annotated[
        int | None,
        typer.Option(
            "--number", "-n", min=0, help="Number of frames; 0: until Ctrl-C (a folder or file: once)."
        ),
    ] = None,
    first: Annotated[int, typer.Option(min=0, max=LAST_ID, help="Id of the first frame.")] = 0,
    gaps: Annotated[float, typer.Option(min=0, max=1, help="Probability that a frame is left out.")] = 0,
    duplicates: Annotated[
        float, typer.Option(min=0, max=1, help="Probability that a frame is sent twice.")
    ] = 0,
    errors: Annotated[
        float, typer.Option(min=0, max=1, help="Probability of a malformed message before a frame.")
    ] = 0,
    header: Annotated[
        Literal["gigafrost", "array-1.0"], typer.Option(help="Header of synthetic images.")
    ] = "gigafrost",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise in the images and of the faults.")] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="Send recorded parts NNNNNN_MMM.raw from here instead.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Send the images of this HDF5 file instead, under their ids.")
    ] = None,
    renumber: Annotated[
        bool, typer.Option("--renumber", help="Number frames of a folder or file from --first on.")
    ] = False,
    wait_consumer: Annotated[
        bool, typer.Option("--wait-consumer", help="Wait for a consumer before sending (push always does).")
    ] = False,
    curve_key: CurveKey = "",
    curve_peers: CurvePeers = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Send frames as a detector does: synthetic images, recorded messages, or the images of a file.

    Every synthetic image follows from its frame id and the seed, so that
    a file can be checked by content: what was sent is
    repstream.sources.images.image(frame_id, shape, type, seed).

    [bold]Examples[/bold]

      repstream simulate      (like a GigaFRoST: 1200x2016 uint16, 20 Hz)
      repstream simulate --size 480x128 --rate 0 -n 100000
      repstream simulate --mode pub --gaps 0.01 --duplicates 0.001 --errors 0.001
      repstream simulate --folder recorded/ --renumber -n 0
      repstream simulate --file run1.h5 --rate 100
    """
    if folder is not None and file is not None:
        raise typer.BadParameter("give --folder or --file, not both")
    if first + max(number or 0, 1) - 1 > LAST_ID:
        raise typer.BadParameter(f"--first {first} and --number {number}: ids end at {LAST_ID}")
    counts = Counts()
    messages: Iterator[tuple[int, Parts]]
    numbered = first if renumber else None
    try:
        if folder is not None:
            files = recorded_files(folder)
            frame_bytes = max(sum(path.stat().st_size for path in parts) for parts in files)
            messages = recorded(folder, number, numbered)
        elif file is not None:
            frame_bytes = image_bytes(file)
            messages = replayed(file, number, numbered, encoder(header))
    except StorageError as error:
        raise typer.BadParameter(str(error)) from error
    if folder is None and file is None:
        images = Images(size, pixel_type, seed)
        frame_bytes = int(np.prod(size)) * images.dtype.itemsize
        messages = synthetic(images, encoder(header), first, number or 0)
    try:
        encrypted = encryption(curve_key, curve_peers, binds=not connect)
        detector = Detector(address, mode, connect, frame_bytes, encrypted)
    except zmq.ZMQError as error:
        raise typer.BadParameter(f"{address}: {error.strerror}; --address takes another") from error

    meter = Meter()
    line = ProgressLine(lambda: _progress(counts, meter), quiet)
    if not quiet:
        typer.echo(f"sending to {detector.address} ({mode})", err=True)
    with until_interrupted() as stop:
        if wait_consumer:
            detector.wait_for_consumer(stop)
        faulty = disturbed(messages, Faults(gaps, duplicates, errors), counts, seed)
        run(detector, faulty, counts, rate=rate, stop=stop, tick=line.tick)
        line.finish(show=True)
        detector.close(wait=0 if stop.is_set() else 30, stop=stop)
    _print_summary(counts, as_json)
    raise typer.Exit(Exit.OK)


def encoder(header: str) -> Callable[[int, Image], Parts]:
    """The function (frame id, image) -> message parts for a kind of header."""
    if header == "array-1.0":
        return array_1_0.encode
    began = int(time.time())

    def encode(frame_id: int, image: Image) -> Parts:
        fields = array_1_0.gigafrost_header(
            frame_id,
            image.shape,
            image.dtype.name,
            scan_datetime=began,
            time_stamp=time.monotonic_ns(),
        )
        return [fields, image]

    return encode


def _progress(counts: Counts, meter: Meter) -> str:
    rates = meter.rates(frames=counts.frames, nbytes=counts.nbytes)
    return (
        f"{counts.frames} frames sent, {rates['frames']:.1f} Hz, {rates['nbytes'] / 1e6:.1f} MB/s, "
        f"last id {counts.last_frame_id}"
    )


def _print_summary(counts: Counts, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(counts)))
    else:
        typer.echo(
            f"sent {counts.frames} frames ({counts.duplicates} of them twice), left out {counts.left_out}, "
            f"malformed {counts.malformed}, {counts.nbytes / 1e6:.1f} MB"
        )
