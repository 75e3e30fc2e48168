"""Write the reference pages that follow from the code: `make docs`.

Each page is made from the catalogue or the state tables, so that it cannot say anything else; a
test holds that the pages in the repository are current.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from docs import area_detector, cam_server, errors, file_format, lima
from repstream import states
from repstream.parameters.catalogue import Catalogue, Command, Group, Parameter, build
from repstream.parameters.facts import Access, Kind
from repstream_epics import names as epics
from repstream_panels.grafana import dashboard
from repstream_tango import names as tango

DASHBOARD = Path(__file__).parents[1] / "panels/grafana.json"
REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made by `make docs`; change the declaration in engine/repstream/ instead. -->\n"
TITLES: Mapping[str, str] = {
    Group.ENGINE: "Engine",
    Group.SOURCE: "Source: the input",
    Group.STREAM: "Streams",
    Group.WRITER: "Writers",
    Group.FACADE: "Facade: kept for the interfaces of replaced systems",
    Group.PICTURE: "Pictures",
}
ACCESS = {Access.READ_ONLY: "read", Access.WHILE_IDLE: "write while idle", Access.ALWAYS: "write"}


def pages() -> dict[str, str]:
    """Every generated page by its name."""
    catalogue = build()
    return {
        "parameters.md": parameters_page(catalogue),
        "states.md": states_page(),
        "file-format.md": file_format.page(NOTE),
        "errors.md": errors.page(NOTE),
        "areadetector.md": area_detector.page(),
        "lima.md": lima.page(),
        "cam_server.md": cam_server.page(),
    }


def parameters_page(catalogue: Catalogue) -> str:
    """All parameters and commands, a table for each group."""
    lines = [
        NOTE,
        "# Parameters and commands",
        "",
        "Keys are those of the configuration, of HTTP and of `repstream.Client`; in the place of a slot",
        "(`1`) the name of the stream or writer may stand (`streams.live.every_nth`). EPICS names follow the",
        "prefix of the server; what can be written there has a readback with `_RBV`. In Tango, writers are",
        "devices of the class `HDF5Writer`, everything else is `RepStream`.",
        "",
        '"While idle": the repeater not RUNNING (source and streams), the writer READY (writers).',
    ]
    for group in catalogue.groups:
        slot = 1 if catalogue.slots(group) else 0
        lines += ["", f"## {TITLES[group]}", ""]
        lines += table(
            ("Key", "Tango", "EPICS", "Value", "Default", "Access", "What it is"),
            (parameter_row(parameter) for parameter in catalogue.of(group, slot)),
        )
        commands = list(catalogue.commands_of(group, slot))
        if commands:
            lines += ["", f"### Commands: {TITLES[group].lower()}", ""]
            lines += table(
                ("Key", "Tango", "EPICS", "Argument", "What it does"), (command_row(c) for c in commands)
            )
    return "\n".join(lines) + "\n"


def parameter_row(parameter: Parameter) -> tuple[str, ...]:
    return (
        code(parameter.key),
        code(tango.attribute_name(parameter)),
        code(epics.setpoint(parameter) if parameter.writable else epics.readback(parameter)),
        value_of(parameter),
        "" if parameter.default in (None, "") else code(str(parameter.default)),
        ACCESS[parameter.access],
        parameter.text,
    )


def command_row(command: Command) -> tuple[str, ...]:
    argument = command.argument
    text = (
        ""
        if argument is None
        else f"{argument.kind.value}{' (optional)' * argument.optional}: {argument.text}"
    )
    names = ", ".join(code(name) for name in tango.command_names(command))
    return code(command.key), names, code(epics.setpoint(command)), text, command.text


def value_of(parameter: Parameter) -> str:
    """Type, limits or choices, and unit."""
    if parameter.kind is Kind.CHOICE:
        return ", ".join(code(choice) for choice in parameter.choices)
    low, high = map(bound, (parameter.minimum, parameter.maximum))
    limits = f"{low} … {high}" if low and high else f"from {low}" if low else f"to {high}" if high else ""
    return " ".join(filter(None, (parameter.kind.value, limits, parameter.unit)))


def bound(number: float | None) -> str:
    """A limit as people write it; empty where there is none."""
    known = {None: "", 2**64 - 1: "2^64-1", 2**31 - 1: "2^31-1"}
    return known.get(number, str(number))


def states_page() -> str:
    """The transition tables as diagrams."""
    tables: tuple[tuple[str, str, Mapping[enum.StrEnum, Mapping[str, enum.StrEnum]]], ...] = (
        ("Repeater", "`failed` is an event of the engine, the rest are commands.", states.REPEATER),
        (
            "Writer",
            "`closed` (its file), `lost` and `found` (the data plane) are events, the rest are commands.",
            states.WRITER,
        ),
        ("Acquisition of a writer", "All of these are events of the data plane.", states.ACQUISITION),
    )
    lines = [
        NOTE,
        "# States",
        "",
        "A command that a state does not show is refused with the states that allow it. A repeater shows",
        "UNKNOWN while its data plane does not answer; meanwhile commands are judged by the state before.",
    ]
    for title, text, transitions in tables:
        lines += [
            "",
            f"## {title}",
            "",
            text,
            "",
            "```mermaid",
            "stateDiagram-v2",
            *arrows(transitions),
            "```",
        ]
    lines += [
        "",
        "## Result of a start",
        "",
        "Each `arm` and `start` of a writer, refused ones too, sets `start_message`, `start_id` and",
        f"`start_result` ({', '.join(map(code, states.StartResult))}), then raises",
        "`start_count`. An accepted start has the id of its acquisition in `start_id`; when that",
        "acquisition ends, `start_result` becomes `completed`, `interrupted`, `aborted` or `failed`.",
        "",
        "**Only `completed` is a success**: the file is closed and holds every image that was asked for",
        "(any number where `num_images` is 0 and the acquisition was stopped). `interrupted` means fewer",
        "images than asked for; `start_message` says how many, and why. `acq_state` is not enough: FINISHED",
        "also ends an acquisition that was cut short, and after a refused start it is still that of the run",
        "before. The completion of the command carries the same word and id in every control system. A",
        "later start overwrites the result, so compare `start_id` where several clients give starts.",
    ]
    return "\n".join(lines) + "\n"


def arrows(transitions: Mapping[enum.StrEnum, Mapping[str, enum.StrEnum]]) -> Iterator[str]:
    """One arrow for each pair of states, with all that leads along it."""
    for state, ways in transitions.items():
        for following in dict.fromkeys(ways.values()):
            events = ", ".join(event for event, to in ways.items() if to is following)
            yield f"    {state.value} --> {following.value}: {events}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def code(text: str) -> str:
    return f"`{text}`"


def main() -> None:
    """Write all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(REFERENCE / name)
    dashboard.write(DASHBOARD, build())
    print(DASHBOARD)


if __name__ == "__main__":
    main()
