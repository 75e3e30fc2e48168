"""gf_repstream's fake stream and its consumer: their arguments for `simulate` and `consume`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from repstream_cli import main as commands


def fake_stream(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``gf_fake_stream``: frames of a folder or synthetic ones, numbered from 0."""
    parser = argparse.ArgumentParser(prog="gf_fake_stream", description="A fake GigaFRoST stream.")
    add = parser.add_argument
    add("-a", "--address", default="tcp://*:9609", help="address to bind (%(default)s)")
    add("-f", "--folder", default="", help="folder with recorded parts NNNNNN_MMM.raw")
    add("-m", "--mode", type=str.lower, choices=("push", "pub"), default="push", help="(%(default)s)")
    add("-i", "--n-images", type=int, default=100, help="number of images, 0: until Ctrl-C (%(default)s)")
    add("-r", "--rate", default="20", help="images a second, 0: at full speed (%(default)s)")
    add("-s", "--size", default="1200x2016", help="without a folder: height x width (%(default)s)")
    add("-t", "--type", default="uint16", help="without a folder: type of pixels (%(default)s)")
    given = parser.parse_args(arguments)
    what = ["--folder", given.folder, "--renumber"] if given.folder else ["--size", given.size]
    sending = ["-a", given.address, "-m", given.mode, "-n", str(given.n_images), "--rate", given.rate]
    _run("simulate", [*sending, *what, "--type", given.type])


def consume_stream(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``gf_consume_stream``: count messages and print their headers."""
    parser = argparse.ArgumentParser(prog="gf_consume_stream", description="A consumer of a stream.")
    add = parser.add_argument
    add("-a", "--address", default="tcp://localhost:9610", help="address to connect to (%(default)s)")
    add("-m", "--mode", type=str.lower, choices=("pull", "sub"), default="pull", help="(%(default)s)")
    add("-f", "--format", help="accepted, without effect: headers are recognised by themselves")
    add("-n", "--number", default="0", help="end after this number of frames, 0: never (%(default)s)")
    given = parser.parse_args(arguments)
    _run("consume", [given.address, "-m", given.mode, "-n", given.number, "--decimated", "--headers", "-q"])


def _run(command: str, arguments: list[str]) -> None:
    sys.argv[1:] = [command, *arguments]
    commands.main()
