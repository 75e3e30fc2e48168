"""`repstream look`: one image of a stream, counted, saved and shown."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
import zmq
from numpy.typing import NDArray
from pydantic import ValidationError

from repstream.errors import MalformedMessage, Refused, StorageError
from repstream.files import pixel_mask
from repstream.messages.formats import FrameDecoder
from repstream.messages.frame import Frame
from repstream.messages.pixels import array_of
from repstream.parameters.complaints import complaint
from repstream.parameters.picture import PictureConfig
from repstream.parameters.source import SourceConfig
from repstream.pictures import reduce, rendering
from repstream.pictures.picture import Statistics, View
from repstream.processing.clean import Clean, clean
from repstream.sources.opening import open_source
from repstream.sources.source import Source
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.sizes import size as parse_size
from repstream_cli.stream_socket import CurveKey, CurvePeers

SUFFIXES = (".png", ".npy")


def look(
    *,
    address: Annotated[
        str, typer.Argument(help="Address of the stream, such as tcp://127.0.0.1:9610, or ring://<name>.")
    ],
    mode: Annotated[
        Literal["sub", "pull"],
        typer.Option("--mode", "-m", help="sub for a PUB stream; pull takes the image from a PUSH stream."),
    ] = "sub",
    bind: Annotated[bool, typer.Option("--bind", help="Bind the address instead of connecting.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for an image.")] = 10,
    save: Annotated[
        list[Path] | None,
        typer.Option(help="File for the image: .png as shown, .npy as it came; repeat it for both."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite these files.")] = False,
    size: Annotated[
        Any,
        typer.Option(parser=parse_size, metavar="HxW", help="Largest number of rows and columns of the PNG."),
    ] = None,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic scale of brightness in the PNG.")] = False,
    percentile: Annotated[
        float, typer.Option(min=50, max=100, help="Percentile of the pixel values that is shown brightest.")
    ] = 99.8,
    mask: Annotated[str, typer.Option(help="Mask of bad pixels: .npy, or HDF5 with :/dataset.")] = "",
    channel: Annotated[str, typer.Option(help="Channel of a bsread stream.")] = "",
    threshold: Annotated[str, typer.Option(help="Threshold of a DECTRIS stream.")] = "",
    ring_slots: Annotated[
        int, typer.Option(min=2, help="Slots of a ring buffer, as its producer has.")
    ] = 1000,
    view: Annotated[
        bool | None,
        typer.Option("--view/--no-view", help="Open silx view.", show_default="if installed, on a desktop"),
    ] = None,
    curve_key: CurveKey = "",
    curve_peers: CurvePeers = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Look at one image of any stream: print what is counted in it, save it, open silx view.

    Works on any stream in any format and on ring buffers, without an engine.

    Exit codes: 0 all well, 1 the image is damaged or cannot be saved, 2 wrong usage, 3 no image came in time.

    [bold]Examples[/bold]

      repstream look tcp://127.0.0.1:9610
      repstream look tcp://detector:9999 --mode pull --save image.png --log
      repstream look tcp://camera:9000 --channel CAM1:FPICTURE --save image.npy --no-view
      repstream look ring://EIGER-image --ring-slots 500
    """
    targets = save or []
    _check_targets(targets, overwrite)
    if view and not _has_silx():
        raise typer.BadParameter("silx is not installed: pip install silx", param_hint="--view")
    try:
        bad = pixel_mask.read(mask) if mask else None
    except StorageError as error:
        raise typer.BadParameter(str(error), param_hint="--mask") from error
    with (
        until_interrupted() as stop,
        zmq.Context() as context,
        closing(_opened(context, address, mode, bind, ring_slots, curve=(curve_key, curve_peers))) as source,
    ):
        frame = receive(source, FrameDecoder(channel, threshold), timeout, stop)
        problem = source.problem
    if frame is None:
        zmq_sub = mode == "sub" and not address.startswith("ring://")
        hint = "; a stream that shares its frames out (PUSH) needs --mode pull" if zmq_sub else ""
        hint = f": {problem}{hint}" if problem else hint
        typer.echo(f"no image came from {address} within {timeout:g} s{hint}", err=True)
        raise typer.Exit(Exit.NOTHING)
    image, counted = _count(frame, bad)
    typer.echo(_as_json(frame, counted) if as_json else _as_text(frame, counted))
    for target in targets:
        _save(target, image, size, percentile, log)
        typer.echo(f"saved {target}", err=as_json)
    if view or (view is None and _on_desktop() and _has_silx()):
        _show(image)
    raise typer.Exit(Exit.OK)


def _opened(
    context: zmq.Context[zmq.Socket[bytes]],
    address: str,
    mode: str,
    bind: bool,
    ring_slots: int,
    *,
    curve: tuple[str, str],
) -> Source:
    try:
        config = SourceConfig(
            address=address,
            mode="SUB" if mode == "sub" else "PULL",
            connection="bind" if bind else "connect",
            buffer_size=1,  # one is looked at; what else a socket took would be lost to others
            ring_slots=ring_slots,
            curve_key=curve[0],
            curve_peers=curve[1],
        )
        return open_source(config, context)
    except ValidationError as error:
        raise typer.BadParameter(complaint(error, SourceConfig)) from error
    except Refused as error:
        raise typer.BadParameter(error.reason) from error


def receive(source: Source, decoder: FrameDecoder, timeout: float, stop: threading.Event) -> Frame | None:
    """The first image that comes; None where none does in time. Raises `MalformedMessage`."""
    end = time.monotonic() + timeout
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        zmq.zmq_poll([(source.pollable, zmq.POLLIN)], min(100, round(1000 * left) + 1))
        source.update()
        while (parts := source.receive()) is not None:
            found = decoder.decode(parts)
            if isinstance(found, Frame):
                return found
    return None


def _count(frame: Frame, bad: NDArray[np.bool_] | None) -> tuple[Clean, Statistics]:
    raw = array_of(frame)
    if raw.ndim != 2:
        raise MalformedMessage("shape", f"{frame.shape} is no image of two dimensions")
    try:
        image = clean(raw, bad)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--mask") from error
    return image, reduce.counted(image, raw.dtype, PictureConfig())


def _check_targets(targets: list[Path], overwrite: bool) -> None:
    for target in targets:
        if target.suffix not in SUFFIXES:
            raise typer.BadParameter(f"{target} must end in {' or '.join(SUFFIXES)}", param_hint="--save")
        if target.exists() and not overwrite:
            raise typer.BadParameter(
                f"{target} exists; name another file, or give --overwrite", param_hint="--save"
            )
        if not target.absolute().parent.is_dir():
            raise typer.BadParameter(f"{target} lies in a folder that does not exist", param_hint="--save")


def _save(target: Path, image: Clean, size: tuple[int, int] | None, percentile: float, log: bool) -> None:
    if target.suffix == ".npy":
        np.save(target, image.image, allow_pickle=False)
        return
    shown = reduce.reduced(image, PictureConfig(), View(size=size)).data
    low, high = rendering.levels(shown, percentile)
    target.write_bytes(rendering.png(rendering.brightness(shown, low, high if high > low else low + 1, log)))


def _as_text(frame: Frame, counted: Statistics) -> str:
    height, width = frame.shape[-2:]
    lines = [
        f"image {frame.frame_id}: {height} x {width} pixels, {frame.dtype}, "
        f"{frame.encoding or 'not compressed'}, {frame.nbytes / 1e6:.2f} MB",
        f"minimum {_number(counted.minimum)}, maximum {_number(counted.maximum)}, "
        f"mean {_number(counted.mean)}, sum {_number(counted.sum)}",
        f"saturated {counted.saturated}, bad {counted.bad} of {counted.pixels + counted.bad} pixels",
    ]
    if counted.centre is not None and counted.width is not None:
        (y, x), (high, wide) = counted.centre, counted.width
        lines.append(f"centre y {y:.2f} x {x:.2f}, width (rms) y {high:.2f} x {wide:.2f} pixels")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.10g}"


def _as_json(frame: Frame, counted: Statistics) -> str:
    names = ("pixels", "bad", "minimum", "maximum", "mean", "sum", "saturated", "centre", "width")
    found = {"image_id": frame.frame_id, "shape": frame.shape, "dtype": frame.dtype}
    return json.dumps({**found, **{name: getattr(counted, name) for name in names}})


def _has_silx() -> bool:
    return importlib.util.find_spec("silx") is not None


def _on_desktop() -> bool:
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(display) and sys.stdout.isatty()


def _show(image: Clean) -> None:
    """Open silx view on the image, and wait until it is closed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.npy"
        np.save(path, image.image, allow_pickle=False)
        subprocess.run([sys.executable, "-m", "silx", "view", str(path)], check=False)
