"""The answers of a standard DAQ as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

COLOURS = {
    "READY": "green",
    "WRITING": "blue",
    "UNKNOWN": "red",
    "FINISHED": "green",
    "FAILED": "red",
    "SUCCESS": "green",
    "ERROR": "red",
}

Answer = Any


def writer(answer: Answer) -> Table:
    """The writer, and its acquisition now or before."""
    table = _facts("Writer", {"state": _state(answer["state"])})
    if (acquisition := answer["acquisition"]) is not None:
        for name, value in _of_acquisition(acquisition).items():
            table.add_row(name, value)
    return table


def logs(answer: Answer) -> Table | Text:
    """Acquisitions, one a line."""
    if not answer:
        return Text("no acquisition has made a file yet")
    table = Table(title="Acquisitions, the newest first")
    for name in _of_acquisition(answer[0]):
        table.add_column(name, overflow="fold")
    for acquisition in answer:
        table.add_row(*_of_acquisition(acquisition).values())
    return table


def stats(answer: Answer) -> Table:
    """Rates of the input and of the writer."""
    table = Table(title="Rates")
    for name in ("", "images/s", "MB/s"):
        table.add_column(name, justify="right" if name else "left")
    for name, rates in answer.items():
        megabytes = rates["bytes_per_second"] / 1e6
        table.add_row(name, f"{rates['images_per_second']:.1f}", f"{megabytes:.1f}")
    return table


def config(answer: Answer) -> Table | Text:
    """The detector's document, key by key."""
    return Text("there is no configuration yet") if answer is None else _facts("Configuration", answer)


def deployment(answer: Answer) -> Table:
    """The last deployment."""
    servers = answer["servers"] or {}
    times = answer["stats"] or {}
    return _facts(
        "Deployment",
        {
            "status": _state(answer["status"]),
            "message": answer["message"],
            "config_id": answer["config_id"] or "-",
            "servers": ", ".join(f"{name}: {state}" for name, state in servers.items()) or "-",
            "start": _time(times.get("start_time")),
            "stop": _time(times.get("stop_time")),
        },
    )


def _of_acquisition(acquisition: Mapping[str, Any]) -> dict[str, str | Text]:
    info, counts = acquisition["info"], acquisition["stats"]
    return {
        "acquisition": _state(acquisition["state"]),
        "message": str(acquisition["message"] or "-"),
        "file": str(info["output_file"]),
        "run_id": str(info["run_id"]),
        "images": f"{counts['n_write_completed']} of {info['n_images']}",
        "start": _time(counts["start_time"]),
        "stop": _time(counts["stop_time"]),
    }


def _facts(title: str, facts: Mapping[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value if isinstance(value, Text) else _text(value))
    return table


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {item}" for name, item in value.items()) or "-"
    return (
        ", ".join(map(str, value))
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )


def _state(state: str) -> Text:
    return Text(state, style=COLOURS.get(state, ""))


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
