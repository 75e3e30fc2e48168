"""`m_split`: one stream into several, each with all messages or with some."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from repstream.errors import Refused, ToolError
from repstream.mflow.addresses import binds
from repstream.mflow.cli.common import Exit, Limits, LiveLine, add_limits, run
from repstream.mflow.splitting import Output, Splitter, output_of, source_of
from repstream.parameters.source import SourceConfig

LINGER = 10.0
"""Most seconds for the sockets to get their last messages out, where the user did not interrupt."""

EPILOG = """\
An address tcp://*:PORT is bound; one with a host is connected to, of outputs on the command line
only where it cannot be bound here. An output may have settings after its address, as in the file:

  m_split tcp://detector:9990 tcp://*:9001 tcp://*:9002,mode=PUB,policy=send_every_nth,every_nth=10

policy: forward, modulo (modulo), send_every_nth (every_nth), send_every_sec (every_sec), strides
(stride), send_every_nth_frame and batch (burst, frame_block), periodic (burst, burst_rate).
on_slow: block (of PUSH), drop_oldest (of PUB), drop_newest. queue_size: messages that may wait.

Configuration file: {"source": {"address", "mode", "queue_size"},
                     "streams": [{"address", "mode", "queue_size", "modulo", …}, …]}
"""


def main() -> None:
    """Split a stream until Ctrl-C or a limit; then report what each output got."""
    parser = argparse.ArgumentParser(
        prog="m_split",
        description="Stream split utility",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", type=Path, help="Configuration file")
    parser.add_argument("source", nargs="?", help='Source address - format "tcp://<address>:<port>"')
    parser.add_argument("streams", nargs="*", help='Streams to generate - "tcp://<address>:<port>"')
    parser.add_argument("--json", action="store_true", help="Show what each output got as JSON")
    add_limits(parser)
    arguments = parser.parse_args()
    if not arguments.config and not (arguments.source and arguments.streams):
        parser.error("insufficient arguments given")
    sys.exit(run(split, arguments))


def split(arguments: argparse.Namespace, stop: threading.Event) -> Exit:
    """The tool."""
    try:
        source, outputs = _read(arguments.config) if arguments.config else _given(arguments)
        splitter = Splitter(source, outputs)
    except Refused as error:
        raise ToolError(str(error)) from error
    live, limits = LiveLine(arguments.live, "received"), Limits(arguments, stop)
    while not limits.reached(splitter.messages):
        splitter.turn()
        live.tick(splitter.messages, splitter.nbytes, _sent(splitter))
    splitter.drain(stop)
    live.finish()
    report = [_figures(output, splitter) for output in range(len(outputs))]
    splitter.close(0.0 if stop.is_set() else LINGER)
    _print(splitter, report, arguments.json)
    return limits.outcome(splitter.messages)


def _read(path: Path) -> tuple[SourceConfig, list[Output]]:
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ToolError(f"{path}: {error}") from error
    if not isinstance(description, dict) or not isinstance(description.get("streams"), list):
        raise ToolError(f'{path}: must be an object with "source" and a list "streams"')
    streams = description["streams"]
    if not streams:
        raise ToolError(f"{path}: names no streams")
    outputs = [output_of(number, fields) for number, fields in enumerate(streams, 1)]
    return source_of(description.get("source", {})), outputs


def _given(arguments: argparse.Namespace) -> tuple[SourceConfig, list[Output]]:
    outputs = [output_of(number, _settings(text)) for number, text in enumerate(arguments.streams, 1)]
    tried = [output if binds(output.config.address) else replace(output, connects=None) for output in outputs]
    return source_of({"address": arguments.source}), tried


def _settings(text: str) -> Mapping[str, Any]:
    address, *more = text.split(",")
    settings = dict(setting.partition("=")[::2] for setting in more)
    return {"address": address, **settings}


def _sent(splitter: Splitter) -> str:
    return "".join(f", {output.name}: {output.ledger.sent}" for output in splitter.outputs)


def _figures(number: int, splitter: Splitter) -> dict[str, Any]:
    output = splitter.outputs[number]
    counted = output.ledger.snapshot()
    return {
        "name": output.name,
        "sent": counted.sent,
        "skipped": sum(counted.skipped.values()),
        "dropped": sum(counted.dropped.values()),
        "unsent": counted.queued,
        "bytes": counted.nbytes_sent,
    }


def _print(splitter: Splitter, report: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"messages": splitter.messages, "bytes": splitter.nbytes, "outputs": report}))
        return
    print(f"received {splitter.messages} messages, {splitter.nbytes / 1e6:.3f} MB")
    for figures in report:
        print(
            f"{figures['name']}: sent {figures['sent']}, skipped {figures['skipped']} by policy, "
            f"dropped {figures['dropped']}, unsent {figures['unsent']}, {figures['bytes'] / 1e6:.3f} MB"
        )


if __name__ == "__main__":
    main()
