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
    """A command of the engine or of a writer. `waits`: its completion may take long."""

    name: str
    text: str
    argument: Argument | None = None
    waits: bool = False


ENGINE_COMMANDS = (
    CommandDeclaration("initialize", "Check and apply the configuration; clears an error."),
    CommandDeclaration(
        "start", "Bind all enabled outputs and repeat frames; complete when running.", waits=True
    ),
    CommandDeclaration("stop", "Stop receiving; complete when what was received has been sent.", waits=True),
    CommandDeclaration("reset", "Clear the last error and its counter."),
    CommandDeclaration(
        "load_config",
        "Load the configuration from a JSON file.",
        Argument(Kind.TEXT, "Path of the file; left out, the one last used."),
    ),
    CommandDeclaration(
        "save_config",
        "Save the configuration to a JSON file.",
        Argument(Kind.TEXT, "Path of the file; left out, the one last used."),
    ),
    CommandDeclaration(
        "configure",
        "Change many parameters at once: all of them or none.",
        Argument(Kind.TEXT, "JSON in the shape of the configuration, whole or in part.", optional=False),
    ),
    CommandDeclaration("lock", "Keep others from writing and commanding; stop stays free for all."),
    CommandDeclaration(
        "unlock",
        "Give the control lock back.",
        Argument(Kind.TEXT, "The word force takes it from somebody else."),
    ),
)

WRITER_COMMANDS = (
    CommandDeclaration(
        "arm", "Make the file and keep the gate shut; complete when the file waits.", waits=True
    ),
    CommandDeclaration(
        "start",
        "Write images, arming first if needed; complete when the file is closed.",
        Argument(
            Kind.INT,
            "Shut the gate again after so many frames, with the file open; left out or 0: until num_images.",
            minimum=0,
            maximum=2**31 - 1,
        ),
        waits=True,
    ),
    CommandDeclaration("stop", "End the acquisition; what was received is written.", waits=True),
    CommandDeclaration("abort", "End the acquisition; what waits is discarded and counted.", waits=True),
    CommandDeclaration("flush", "Put what was written so far on the disk."),
)
