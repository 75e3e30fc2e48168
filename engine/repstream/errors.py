"""Every error this project raises on purpose.

::

    RepstreamError
    ├── RequestError         a write or a command did not bring what it was for
    │   ├── Refused              it was not taken; nothing was changed
    │   │   ├── InvalidValue         because of the value: its type, its limits
    │   │   ├── UnknownKey           because no parameter or command has this key
    │   │   ├── UnknownInstance      because no camera or pipeline of this name is there
    │   │   ├── InstanceRuns         because one of this name runs already
    │   │   └── InstanceReadOnly     because the running one is not to be changed
    │   ├── EngineFault          the engine itself failed; what was asked may have been done in part
    │   │   └── InstanceEnded        a camera or pipeline ended before it ran, or while it was asked
    │   ├── Unanswered           it was taken, and it is not known yet what became of it
    │   └── EndedEarly           it was taken, and ended without what it was given for
    ├── MalformedMessage     a peer sent a message that does not follow its format
    ├── ProcessingError      an image could not be processed as configured
    │   └── FunctionError    because of the function that a user wrote
    ├── StorageError         a file or folder could not be made or written
    ├── EngineUnreachable    no engine answers at the address
    ├── PortTakenError       a server cannot listen, somebody else does
    ├── ChildError           a program that a command needs did not start
    ├── RegistrationError    a Tango database cannot be used for a server's devices
    ├── NotTaken             a view refused in the words of the system that it replaces
    └── ToolError            a command-line tool cannot go on

`Refused` is the user's to mend, `EngineFault` ours, `MalformedMessage` the peer's, `StorageError`
the storage's. Anything else that is raised is a fault of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

MOST_LISTED = 16
"""Names that a refusal lists, at most."""


class RepstreamError(Exception):
    """Base of every error that is raised on purpose; each that is raised is one of those below."""


class RequestError(RepstreamError):
    """A request did not bring what it was for; one of the four below says whether anything was done.

    `subject` is the key of the parameter or command, `reason` a sentence that says what was wrong.
    """

    said = "{}: {}"
    """The text, of subject and reason."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(self.said.format(subject, reason))
        self.subject = subject
        self.reason = reason

    def __reduce__(self) -> tuple[type[RequestError], tuple[Any, ...]]:
        return type(self), (self.subject, self.reason)


class Refused(RequestError):
    """A write or a command that was not taken, with the reason; nothing was changed.

    `reason` says what is allowed, too; `allowed` are the values or states in which it would have been
    taken (may be empty).
    """

    said = "{} refused: {}"

    def __init__(self, subject: str, reason: str, allowed: Sequence[str] = ()) -> None:
        super().__init__(subject, reason)
        self.allowed = tuple(allowed)

    def __reduce__(self) -> tuple[type[Refused], tuple[Any, ...]]:
        return type(self), (self.subject, self.reason, self.allowed)


class InvalidValue(Refused):
    """A write or a command that was not taken because of the value that it came with."""


class UnknownKey(Refused):
    """A key that names no parameter and no command of this engine."""


class UnknownInstance(Refused):
    """No camera or pipeline of this name runs, nor did one."""


class InstanceRuns(Refused):
    """A camera or pipeline of this name runs already: stop it, or take another name."""


class InstanceReadOnly(Refused):
    """The running camera or pipeline is shared, so nobody may change it."""


class EngineFault(RequestError):
    """The engine failed at a write or a command.

    Its data plane died, or a fault of ours; the engine's log has the details.
    """

    said = "{} failed: {}"


class InstanceEnded(EngineFault):
    """A camera or pipeline ended before it ran or while it was asked; `reason` is the first cause."""


class Unanswered(RequestError):
    """A write or a command that was taken, and goes on: its end is not known yet.

    The data plane does not answer.
    """


class EndedEarly(RequestError):
    """A command that was taken, and ended without what it was given for: fewer images, aborted, failed.

    Raised for who waits for an end in Python: bluesky's plans, and the
    hosts that share an acquisition.
    """

    said = "{} ended early: {}"


class MalformedMessage(RepstreamError):
    """A received message that does not follow its format.

    `reason` is one short fixed word (a counter's name, such as ``"json"``), `detail` says
    what was found instead of what.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[MalformedMessage], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class ProcessingError(RepstreamError):
    """An image could not be processed as a camera or a pipeline is configured; the next one may be."""


class FunctionError(ProcessingError):
    """A function that a user wrote failed, hung, ended its process, or returned what cannot be sent.

    `script` is its file's name, `line` the line there and `where` the function around it, if they are known
    (else 0 and ""), `traceback` all that Python says about it.
    """

    def __init__(self, script: str, line: int, where: str, reason: str, traceback: str = "") -> None:
        place = f", line {line}" if line else ""
        inside = f" in {where}" if where and where != "<module>" else ""
        super().__init__(f"{script}{place}{inside}: {reason}")
        self.script, self.line, self.where = script, line, where
        self.reason, self.traceback = reason, traceback

    def __reduce__(self) -> tuple[type[FunctionError], tuple[str, int, str, str, str]]:
        return type(self), (self.script, self.line, self.where, self.reason, self.traceback)


class StorageError(RepstreamError):
    """A file or folder that could not be made or written, with the system's reason."""


class EngineUnreachable(RepstreamError):
    """No engine answered at the address within the time allowed."""


class PortTakenError(RepstreamError):
    """A server cannot listen at a port, because another program does; the text names the option to give."""


class ChildError(RepstreamError):
    """A program that a command starts and needs did not come up; the text is what it said."""


class RegistrationError(RepstreamError):
    """A Tango database does not answer, or holds another server or engine for these devices."""


class NotTaken(RepstreamError):
    """A view of a replaced system refused a request, in that system's words where its clients know them.

    The view's own answer carries the text; nobody else meets it.
    """


class ToolError(RepstreamError):
    """A command-line tool cannot go on; the text is for its user, `code` the exit code (2: usage)."""

    def __init__(self, text: str, code: int = 2) -> None:
        super().__init__(text)
        self.code = code

    def __reduce__(self) -> tuple[type[ToolError], tuple[str, int]]:
        return type(self), (str(self), self.code)


def unknown_key(given: str, what: str, known: Iterable[str]) -> UnknownKey:
    """The error for a key that is none of `known`; `what` is parameter or command.

    It says which owner or field was probably meant, and which owners or commands there are.
    """
    fields: dict[str, list[str]] = {}
    for key in known:
        head, _, field = key.rpartition(".")
        fields.setdefault(head, []).append(field)
    head, _, field = given.rpartition(".")
    if head in fields:
        wrong, names, shape = field, fields[head], f"{head}.{{}}"
        reason = f"{head} has no {what} {field!r}"
    else:
        wrong, names, shape = head or given, list(fields), f"{{}}.{field}"
        reason = f"there is no {wrong!r}"
    near = difflib.get_close_matches(wrong, names, n=3, cutoff=0.75)
    if near:
        hint = f"; did you mean {' or '.join(near)}?"
    elif len(names) <= MOST_LISTED:
        hint = f", only {', '.join(names)}"
    else:
        hint = "; the catalogue lists them"
    return UnknownKey(given, reason + hint, [shape.format(name) for name in near])


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """``"; did you mean num_images?"`` where one of the `known` names is like the given one, else nothing."""
    alike = difflib.get_close_matches(given, list(known), n=1)
    return f"; did you mean {alike[0]}?" if alike else ""
