"""`repstream consume`: receive a stream, count it, look for faults, keep it if asked to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
import zmq
from msgspec import UNSET, UnsetType

from repstream.accounting import InputLedger, InputSnapshot
from repstream.errors import MalformedMessage
from repstream.messages.formats import FrameDecoder, kind_of
from repstream.messages.frame import Frame
from repstream_cli.exits import Exit
from repstream_cli.interrupt import until_interrupted
from repstream_cli.progress import Meter, ProgressLine
from repstream_cli.stream_socket import CurveKey, CurvePeers, encryption, stream_socket

Tap = Callable[[int, list[zmq.Frame]], None]
"""Sees each message and its number, counted from 0."""


class Summary(msgspec.Struct, kw_only=True, rename={"nbytes": "bytes"}):
    """What came, as scripts read it. What is missing is left out where the stream is decimated on purpose."""

    messages: int
    frames: int
    malformed: int
    malformed_reasons: Mapping[str, int]
    other: int
    other_kinds: Mapping[str, int]
    missing: int | UnsetType = UNSET
    left_out: int | UnsetType = UNSET
    duplicates: int
    late: int
    resets: int
    nbytes: int
    last_frame_id: int | None

    @classmethod
    def of(cls, seen: InputSnapshot, decimated: bool) -> Summary:
        """The counts of an input."""
        return cls(
            messages=seen.messages,
            frames=seen.frames,
            malformed=sum(seen.malformed.values()),
            malformed_reasons=seen.malformed,
            other=sum(seen.other.values()),
            other_kinds=seen.other,
            missing=UNSET if decimated else seen.missing,
            left_out=seen.missing if decimated else UNSET,
            duplicates=seen.duplicates,
            late=seen.late,
            resets=seen.resets,
            nbytes=seen.nbytes,
            last_frame_id=seen.last_frame_id,
        )


def consume(
    *,
    address: Annotated[str, typer.Argument(help="Address of the stream.")] = "tcp://127.0.0.1:9610",
    mode: Annotated[
        Literal["pull", "sub"], typer.Option("--mode", "-m", help="pull for a PUSH stream, sub for PUB.")
    ] = "pull",
    bind: Annotated[bool, typer.Option("--bind", help="Bind the address instead of connecting.")] = False,
    number: Annotated[
        int, typer.Option("--number", "-n", min=0, help="End after this number of frames; 0: never.")
    ] = 0,
    seconds: Annotated[
        float, typer.Option("--time", "-t", min=0, help="End after this time in seconds; 0: never.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option(min=0, help="End when nothing came for this time in seconds; 0: keep waiting.")
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(help="Save every message part as NNNNNN_MMM.raw in this folder, which must have none."),
    ] = None,
    headers: Annotated[
        bool, typer.Option("--headers", help="Print the number and the header of each message.")
    ] = False,
    decimated: Annotated[
        bool,
        typer.Option(
            "--decimated", help="The stream is decimated on purpose: gaps in its ids are not faults."
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if frames are missing or messages malformed.")
    ] = False,
    curve_key: CurveKey = "",
    curve_peers: CurvePeers = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress line.")] = False,
) -> None:
    """Receive a stream: count frames, gaps and faults, show rates, keep the messages if asked to.

    Exit codes: 0 all well, 1 faults found with --strict, 2 wrong usage,
    3 nothing (or fewer than --number) came in time.

    [bold]Examples[/bold]

      repstream consume tcp://127.0.0.1:9610 --mode sub
      repstream consume -n 100 --timeout 10 --strict --json
      repstream consume tcp://127.0.0.1:9611 --decimated --strict      (every tenth frame, say)
      repstream consume --save /tmp/recorded -n 20
      repstream simulate --folder /tmp/recorded      (sends it again)
      repstream consume tcp://daq:9610 --curve-key me --curve-peers daq
    """
    taps: list[Tap] = []
    if save is not None:
        taps.append(_saving(save))
    if headers:
        taps.append(_print_header)
    ledger = InputLedger()
    with (
        until_interrupted() as stop,
        zmq.Context() as context,
        stream_socket(context, address, mode, bind, encryption(curve_key, curve_peers, binds=bind)) as socket,
    ):
        receive(socket, ledger, stop, number=number, seconds=seconds, timeout=timeout, taps=taps, quiet=quiet)
    _print_summary(ledger, as_json, decimated)
    faults = bool(ledger.malformed) or (bool(ledger.gaps.missing) and not decimated)
    raise typer.Exit(_exit_code(ledger, number if not stop.is_set() else 0, strict and faults))


def _saving(folder: Path) -> Tap:
    """Keep the parts of messages in a folder, which is made; one that has some is refused."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if next(folder.glob("*.raw"), None) is not None:
            raise typer.BadParameter(
                f"{folder} has recorded parts already; name an empty folder", param_hint="--save"
            )
    except OSError as error:
        raise typer.BadParameter(f"{folder} cannot be made: {error.strerror}", param_hint="--save") from error

    def save(number: int, parts: list[zmq.Frame]) -> None:
        for n, part in enumerate(parts):
            (folder / f"{number:06d}_{n:03d}.raw").write_bytes(part.buffer)

    return save


def receive(
    socket: zmq.Socket[bytes],
    ledger: InputLedger,
    stop: threading.Event,
    *,
    number: int = 0,
    seconds: float = 0,
    timeout: float = 0,
    taps: Sequence[Tap] = (),
    quiet: bool = False,
) -> None:
    """Receive until one of the limits (0: none) is reached, or until `stop`; `taps` see each message."""
    line = ProgressLine(_Text(ledger), quiet)
    decoder = FrameDecoder()
    begin = heard = time.monotonic()
    while not stop.is_set() and (number == 0 or ledger.frames < number):
        now = time.monotonic()
        if (seconds and now - begin >= seconds) or (timeout and now - heard >= timeout):
            break
        line.tick()
        if not socket.poll(50):
            continue
        heard = time.monotonic()
        parts = socket.recv_multipart(copy=False)
        for tap in taps:
            tap(ledger.messages, parts)
        _book(parts, decoder, ledger)
    line.finish(show=True)


def _print_header(number: int, parts: list[zmq.Frame]) -> None:
    header = parts[0].bytes.decode("utf-8", "replace")
    typer.echo(f"{number + 1} {header if header.isprintable() else repr(header)}")


def _book(parts: list[zmq.Frame], decoder: FrameDecoder, ledger: InputLedger) -> None:
    nbytes = sum(map(len, parts))
    try:
        found = decoder.decode(parts)
    except MalformedMessage as error:
        ledger.book_malformed(error.reason, nbytes)
    else:
        if isinstance(found, Frame):
            ledger.book_frame(found.frame_id, nbytes, time.time())
        else:
            ledger.book_other(kind_of(found), nbytes)


class _Text:
    """The text of the progress line."""

    def __init__(self, ledger: InputLedger) -> None:
        self._ledger = ledger
        self._meter = Meter()

    def __call__(self) -> str:
        ledger = self._ledger
        if not ledger.messages:
            return "nothing received yet"
        rates = self._meter.rates(frames=ledger.frames, nbytes=ledger.nbytes)
        return (
            f"{ledger.frames} frames, {rates['frames']:.1f} Hz, {rates['nbytes'] / 1e6:.1f} MB/s, "
            f"last id {ledger.last_frame_id}, ids not seen {ledger.gaps.missing}, "
            f"duplicates {ledger.gaps.duplicates}, malformed {sum(ledger.malformed.values())}"
        )


def _print_summary(ledger: InputLedger, as_json: bool, decimated: bool) -> None:
    counts = Summary.of(ledger.snapshot(), decimated)
    if as_json:
        typer.echo(msgspec.json.encode(counts))
    else:
        named = msgspec.to_builtins(counts).items()
        typer.echo(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in named if value))
        if not counts.messages:
            typer.echo("nothing was received")


def _exit_code(ledger: InputLedger, expected: int, faulty: bool) -> Exit:
    if not ledger.messages or ledger.frames < expected:
        return Exit.NOTHING
    return Exit.FAULTS if faulty else Exit.OK
