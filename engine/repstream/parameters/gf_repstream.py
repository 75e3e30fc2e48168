"""gf_repstream's ways to configure a repeater, in our terms and back.

Source: its configuration files, ``{"in-stream": {…}, "out-streams": {name: {…}}}`` and the older
form with lists of such objects and ``send_every_nth``; and the dictionary of its REST interface,
whose lists have one element for each output stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from repstream.errors import InvalidValue, did_you_mean
from repstream.policies.decimation import Decimation

STD_DET_WRITER = "std-det-writer"
"""The name of the stream whose headers are rewritten for an external writer."""

_ZMQ_NAMES = {1: "PUB", 2: "SUB", 7: "PULL", 8: "PUSH"}
_POLICY_NAMES = {"n_every_nth": Decimation.SEND_EVERY_NTH_FRAME}
_PARAMETERS_OF: Mapping[Decimation, tuple[str, ...]] = {
    Decimation.SEND_EVERY_NTH: ("every_nth",),
    Decimation.SEND_EVERY_SEC: ("every_sec",),
    Decimation.SEND_EVERY_NTH_FRAME: ("burst",),
    Decimation.STRIDES: ("stride",),
    Decimation.BATCH: ("burst", "frame_block"),
    Decimation.PERIODIC: ("burst", "burst_rate"),
    Decimation.MODULO: ("modulo",),
}

_LISTS = ("stream_names", "stream_ports", "zmq_modes", "send_output_mode", "send_output_param")
KEYS = ("in_address", "in_zmq_mode", "io_threads", "buffer_size", "n_output_streams", *_LISTS, "frame_block")
"""Those of the dictionary that stand for something of ours."""

ARGUMENTS = (*KEYS[:5], "send_every_nth", "out_init_port")
"""The program's arguments that say the same."""

IN_ADDRESS, FIRST_PORT = "tcp://127.0.0.1:9990", 9610


def as_tree(file: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """A configuration file's content as a configuration of ours; raises `InvalidValue`."""
    try:
        (source,) = _listed(file["in-stream"]) or ({},)
        outputs = _listed(file.get("out-streams", {}))
        return {
            "source": {"address": source["address"], "mode": _zmq_name(source.get("zmq_mode", "PULL"))},
            "streams": {entry["name"]: _stream(entry) for entry in outputs},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(
            subject, f"looks like a gf_repstream configuration, but this is missing or wrong in it: {error}"
        ) from error


def as_dictionary(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration of ours, as JSON has it, as the dictionary of the REST interface; modes by name."""
    source, streams = configuration["source"], configuration["streams"]
    blocks = [stream["frame_block"] for stream in streams.values()]
    return {
        "in_address": source["address"],
        "in_zmq_mode": source["mode"],
        "io_threads": source["io_threads"],
        "buffer_size": source["buffer_size"],
        "n_output_streams": len(streams),
        "stream_names": list(streams),
        "stream_ports": [_port(stream["address"]) for stream in streams.values()],
        "zmq_modes": [stream["mode"] for stream in streams.values()],
        "send_output_mode": [stream["policy"] for stream in streams.values()],
        "send_output_param": [_parameter(stream) for stream in streams.values()],
        "frame_block": blocks[0] if blocks else 15,
    }


def as_changes(given: Mapping[str, Any], configuration: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """What some keys of the dictionary change in a configuration of ours; streams that go are None.

    Raises `InvalidValue` for an unknown key, a value of the wrong type, and for lists of different
    lengths.
    """
    for key in given:
        if key not in KEYS:
            raise InvalidValue(
                subject, f"{key}: no such key{did_you_mean(key, KEYS)}; there are {', '.join(KEYS)}"
            )
    for key in _LISTS:
        if not isinstance(given.get(key, []), list):
            raise InvalidValue(subject, f"{key} must be a list, one element for each output stream")
    whole = {**as_dictionary(configuration), **given}
    if not isinstance(whole["n_output_streams"], int):
        raise InvalidValue(
            subject, f"n_output_streams must be a number, not {whole['n_output_streams']!r:.80}"
        )
    if "n_output_streams" not in given:
        whole["n_output_streams"] = max(len(given[key]) if key in given else 0 for key in _LISTS) or len(
            configuration["streams"]
        )
    _check_lists(whole, subject)
    try:
        streams: dict[str, Any] = dict.fromkeys(configuration["streams"])
        for name, port, zmq_mode, mode, parameter in zip(*(whole[key] for key in _LISTS), strict=True):
            streams[name] = {
                **_stream(
                    {
                        "name": name,
                        "port": port,
                        "zmq_mode": zmq_mode,
                        "send_output_mode": mode,
                        "send_output_param": parameter,
                    }
                ),
                "buffer_size": whole["buffer_size"],
            }
            if "frame_block" in given or "frame_block" not in streams[name]:
                streams[name]["frame_block"] = whole["frame_block"]
        source = {
            "address": whole["in_address"],
            "mode": _zmq_name(whole["in_zmq_mode"]),
            "io_threads": whole["io_threads"],
            "buffer_size": whole["buffer_size"],
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(subject, f"has a wrong value: {error}") from error
    return {"source": source, "streams": streams}


def of_arguments(given: Mapping[str, Any], configuration: Mapping[str, Any], subject: str) -> dict[str, Any]:
    """What the program's arguments, those that were given, change in a configuration without streams.

    ``send_every_nth`` makes streams ``stream1``, ``stream2`` and so on. Raises `InvalidValue`.
    """
    every = given.get("send_every_nth", [])
    number = given.get("n_output_streams", len(every))
    if number != len(every):
        raise InvalidValue(subject, f"--n-output-streams {number}: --send-every-nth has {len(every)} numbers")
    first = given.get("out_init_port", FIRST_PORT)
    usual = {"in_address": IN_ADDRESS, "in_zmq_mode": "PULL", "io_threads": 1, "buffer_size": 5000}
    outputs = {
        "n_output_streams": number,
        "stream_names": [f"stream{n}" for n in range(1, number + 1)],
        "stream_ports": [first + n for n in range(number)],
        "zmq_modes": ["PUSH"] * number,
        "send_output_mode": ["send_every_nth"] * number,
        "send_output_param": every,
    }
    known = {key: value for key, value in given.items() if key in KEYS}
    return as_changes({**usual, **known, **outputs}, configuration, subject)


def _check_lists(whole: Mapping[str, Any], subject: str) -> None:
    lengths = {key: len(whole[key]) for key in _LISTS}
    if set(lengths.values()) != {whole["n_output_streams"]}:
        shown = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise InvalidValue(
            subject,
            f"lists must have n_output_streams = {whole['n_output_streams']!r} elements, but have: {shown}",
        )
    if len(set(map(str, whole["stream_names"]))) < len(whole["stream_names"]):
        raise InvalidValue(subject, f"stream_names must be different, not {whole['stream_names']}")


def _listed(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, list):
        return [dict(entry) for entry in part]
    if "address" in part or "port" in part:
        return [dict(part)]
    return [{"name": name, **entry} for name, entry in part.items()]


def _zmq_name(mode: str | int) -> str:
    if isinstance(mode, int):
        return _ZMQ_NAMES[mode]
    if not isinstance(mode, str):
        raise TypeError(f"the mode {mode!r:.80}, which must be a name or ZMQ's number")
    return mode.upper()


def _stream(entry: Mapping[str, Any]) -> dict[str, Any]:
    stream: dict[str, Any] = {
        "address": _address(entry["port"]),
        "mode": _zmq_name(entry.get("zmq_mode", "PUSH")),
    }
    if entry["name"] == STD_DET_WRITER:
        stream["header"] = "std_det_writer"
    if "send_every_nth" in entry:
        return {**stream, "policy": "send_every_nth", "every_nth": entry["send_every_nth"]}
    mode = entry.get("send_output_mode", "forward")
    policy = _POLICY_NAMES.get(mode) or Decimation(mode)
    given = entry.get("send_output_param", [])
    values: Sequence[Any] = given if isinstance(given, list) else [given]
    names = _PARAMETERS_OF.get(policy, ())
    return {**stream, "policy": policy.value, **dict(zip(names, values, strict=False))}


def _address(port: int | str) -> str:
    return port if isinstance(port, str) and "://" in port else f"tcp://*:{int(port)}"


def _port(address: str) -> int | str:
    """The port of ``tcp://*:9610``; any other address as it is."""
    port = address.rpartition(":")[2]
    return int(port) if address.startswith("tcp://") and port.isdecimal() else address


def _parameter(stream: Mapping[str, Any]) -> Any:
    """A policy's parameter: a number, a list where it has two, 1 where it has none."""
    values = [stream[name] for name in _PARAMETERS_OF.get(Decimation(stream["policy"]), ())]
    return values if len(values) > 1 else next(iter(values), 1)
