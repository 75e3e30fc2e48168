"""Commands, declared once: name, text, and the argument where there is one."""

from __future__ import annotations

import msgspec

from repstream.parameters.facts import Kind


class Argument(msgspec.Struct, frozen=True):
    """What a command may be given. Where it is optional, leaving it out is `None`."""

    kind: Kind
    text: str
    optional: bool = True
    minimum: float | None = None
    maximum: float | None = None


class CommandDeclaration(msgspec.Struct, frozen=True):
    """A command of a group. `waits`: its completion may take long. `title` as that of a parameter."""

    name: str
    title: str
    text: str
    argument: Argument | None = None
    waits: bool = False


ENGINE_COMMANDS = (
    CommandDeclaration("initialize", "Initialize", "Check and apply the configuration; clears an error."),
    CommandDeclaration(
        "start", "Start", "Bind all enabled outputs and repeat frames; complete once running.", waits=True
    ),
    CommandDeclaration(
        "stop", "Stop", "Stop receiving; complete once everything received has been sent.", waits=True
    ),
    CommandDeclaration("reset", "Reset", "Clear the last error and the number of errors."),
    CommandDeclaration(
        "load_config",
        "Load configuration",
        "Load the configuration from a JSON file.",
        Argument(Kind.TEXT, "Path of the file; if omitted, the last one used."),
    ),
    CommandDeclaration(
        "save_config",
        "Save configuration",
        "Save the configuration to a JSON file.",
        Argument(Kind.TEXT, "Path of the file; if omitted, the last one used."),
    ),
    CommandDeclaration(
        "configure",
        "Change configuration",
        "Change several parameters at once: all of them or none.",
        Argument(Kind.TEXT, "JSON in the shape of the configuration, whole or in part.", optional=False),
    ),
    CommandDeclaration(
        "lock",
        "Lock control",
        "Keep others from writing and giving commands; stop stays free for all.",
        Argument(Kind.TEXT, "A word for the owner: who locks with the same word shares the lock."),
    ),
    CommandDeclaration(
        "unlock",
        "Unlock control",
        "Release the control lock.",
        Argument(Kind.TEXT, "The owner's word; the word force takes it from any owner."),
    ),
)

WRITER_COMMANDS = (
    CommandDeclaration(
        "arm", "Arm", "Create the file and keep the gate shut; complete once the file is ready.", waits=True
    ),
    CommandDeclaration(
        "start",
        "Start writing",
        "Write images, arming first if needed; complete once the file is closed.",
        Argument(
            Kind.INT,
            "Shut the gate after this number of frames, the file stays open; omitted or 0: until num_images.",
            minimum=0,
            maximum=2**31 - 1,
        ),
        waits=True,
    ),
    CommandDeclaration(
        "pause", "Pause writing", "Shut the gate and keep the file open; start opens the gate again."
    ),
    CommandDeclaration(
        "stop", "Stop writing", "End the acquisition; what was received is written.", waits=True
    ),
    CommandDeclaration(
        "abort", "Abort writing", "End the acquisition; what waits is discarded and counted.", waits=True
    ),
    CommandDeclaration("flush", "Flush", "Write everything received so far to the disk."),
)
