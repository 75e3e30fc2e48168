"""A pyepics client in a process of its own: a JSON request a line in, a JSON answer a line out.

libca reads its environment once and never ends its threads, so no test loads it into the test process.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

import epics

_lock = threading.Lock()
_pvs: dict[str, epics.PV] = {}


def say(**answer: Any) -> None:
    with _lock:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def connected(name: str, timeout: float = 10) -> epics.PV:
    if name not in _pvs:
        _pvs[name] = epics.PV(name, auto_monitor=False)
    if not _pvs[name].wait_for_connection(timeout):
        raise LookupError(f"{name} is not there")
    return _pvs[name]


def plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def get(pv: str) -> dict[str, Any]:
    """Value (text where it is characters, the string of an enum), alarm, time."""
    record = connected(pv)
    text = "char" in record.type or "enum" in record.type
    metadata = record.get_with_metadata(form="time", as_string=text, use_monitor=False, timeout=10)
    return {key: plain(metadata[key]) for key in ("value", "severity", "status", "timestamp")}


def info(pv: str) -> dict[str, Any]:
    record = connected(pv)
    control = record.get_ctrlvars(timeout=10) or {}
    limits = [
        f"{end}_{kind}_limit" for kind in ("ctrl", "disp", "warning", "alarm") for end in ("lower", "upper")
    ]
    names = ["units", "precision", "enum_strs", *limits]
    facts = {name: plain(control[name]) for name in names if name in control}
    return {**facts, "type": record.type, "count": record.nelm, "access": record.access}


def existing(names: list[str], timeout: float = 3) -> list[str]:
    """Those of `names` that some server has."""
    for name in names:
        _pvs.setdefault(name, epics.PV(name, auto_monitor=False))
    end = time.monotonic() + timeout
    return [name for name in names if _pvs[name].wait_for_connection(max(end - time.monotonic(), 0.001))]


def put(pv: str, value: Any, wait: bool = True, timeout: float = 60) -> bool:
    """Whether the put was answered in time."""
    return bool(connected(pv).put(value, wait=wait, timeout=timeout) == 1)


def put_row(row: list[tuple[str, Any]]) -> None:
    """Write all without waiting in between; wait for the last."""
    for pv, _ in row:
        connected(pv)
    for pv, value in row[:-1]:
        _pvs[pv].put(value, wait=False)
    put(*row[-1])


def cached_after_put(pv: str, value: Any, watched: list[str]) -> list[Any]:
    """What the monitors of `watched` hold at the very moment that a put has been answered."""
    records = [epics.PV(name, auto_monitor=True) for name in watched]
    for record in records:
        record.wait_for_connection(10)
        record.get()
    connected(pv).put(value, wait=True, timeout=60)
    return [record.get(as_string=True, use_monitor=True) for record in records]


def watch(pv: str) -> None:
    def changed(value: Any = None, char_value: str = "", severity: int = 0, **facts: Any) -> None:
        shown = char_value if "char" in facts.get("type", "") else plain(value)
        say(watch=pv, value=shown, severity=severity, status=facts.get("status", 0))

    connected(pv)
    epics.PV(pv, auto_monitor=epics.dbr.DBE_VALUE | epics.dbr.DBE_ALARM, form="time", callback=changed)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        action = globals()[request["do"]]

        def run(request: dict[str, Any] = request, action: Any = action) -> None:
            try:
                epics.ca.use_initial_context()
                say(id=request["id"], result=action(*request["args"]))
            except Exception as error:
                say(id=request["id"], error=f"{type(error).__name__}: {error}")

        threading.Thread(target=run, daemon=True).start()


if __name__ == "__main__":
    main()
