"""An acquisition that several hosts write: all of them begin it or none does, and one file shows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from repstream.cluster.member import Member, Progress
from repstream.errors import Refused, RepstreamError, StorageError
from repstream.files import host_files
from repstream.files.nexus.places import UNFINISHED
from repstream.files.paths import check_target
from repstream.files.plan import Scalar
from repstream.files.reader import FileReader
from repstream.states import AcquisitionResult, is_whole

LOOK_EVERY = 0.1
"""Seconds between two looks at the members, whose values are here already."""

ARM_TIME = 60.0
"""Seconds that a member may take to make its file."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be written: the images with the ids ``first_id`` … ``first_id + images - 1`` to `file`.

    `file`: absolute path of the file that will show all of them, in a folder that every host sees under
    this name. `idle_timeout`: as that of a writer, None leaves it as it is.
    """

    file: Path
    images: int
    first_id: int = 0
    run_id: str = ""
    idle_timeout: float | None = None

    def file_of(self, host: str) -> Path:
        """The file that a host writes: ``scan_north.h5`` beside ``scan.h5``."""
        return self.file.with_name(f"{self.file.stem}_{host}{self.file.suffix}")

    def share(self, place: int, hosts: int) -> int:
        """How many of the images the host at `place` (from 0) gets: those with id % hosts == place."""
        return len(range((place - self.first_id) % hosts, self.images, hosts))


class Acquisition:
    """One that goes on; `begin` makes it. `wait` follows it to its end, `join` makes the file over all."""

    def __init__(self, request: Request, members: Mapping[str, Member], ids: Mapping[str, str]) -> None:
        self.request = request
        self._members, self._ids = members, ids
        self._start_time = time.time()

    def progress(self, patience: float = 10.0) -> list[Progress]:
        """How far each host is; one that is silent for `patience` seconds is lost."""
        return [member.progress(self._ids[host], patience) for host, member in self._members.items()]

    def wait(
        self,
        timeout: float | None = None,
        on_look: Callable[[Sequence[Progress]], None] = lambda now: None,
        patience: float = 10.0,
    ) -> list[Progress]:
        """Follow until every host has ended, also where one fails; raises `TimeoutError`, and it goes on."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            now = self.progress(patience)
            on_look(now)
            if all(each.result for each in now):
                return now
            if end is not None and time.monotonic() >= end:
                going = ", ".join(each.host for each in now if not each.result)
                raise TimeoutError(f"{going} did not end within {timeout} s; the acquisition goes on")
            time.sleep(LOOK_EVERY)

    def stop(self, command: str = "stop") -> None:
        """End it on every host that can be reached (``stop`` or ``abort``)."""
        stop(self._members, command)

    def join(self, ended: Sequence[Progress]) -> host_files.Joined:
        """Make the file that shows what all hosts wrote; raises as `host_files.join`."""
        return join(self.request, ended, {"start_time": self._start_time, "stop_time": time.time()})


def stop(members: Mapping[str, Member], command: str = "stop") -> dict[str, str]:
    """Give all members the command; host -> why it did not take it."""
    _, failed = _concurrently(members, lambda member: member.command(command))
    return failed


def outcome_of(ended: Sequence[Progress]) -> tuple[str, str]:
    """How the acquisition ended as a whole, and a sentence that names each host that did not complete."""
    bad = [each for each in ended if each.result != "completed"]
    if not bad:
        return "completed", f"All {len(ended)} hosts completed their part."
    results = {each.result for each in bad}
    worst = next((word for word in ("aborted", "interrupted") if results == {word}), "")
    if results == {"aborted", "interrupted"}:
        worst = "interrupted"
    return worst or "failed", "; ".join(f"{each.host} {each.result}: {each.message}" for each in bad)


def begin(members: Mapping[str, Member], request: Request) -> Acquisition:
    """Arm every host, then open the gate of every host; return when all of them wait for images.

    Raises `Refused` where one cannot: then nobody writes, settings are as before, and it names the host.
    """
    subject = f"acquisition of {request.file}"
    hosts = len(members)
    if request.images < hosts:
        raise Refused(subject, f"{request.images} images are fewer than the {hosts} hosts: ask for more")
    for path in (request.file, *map(request.file_of, members)):
        check_target(path, [request.file.parent])
    complaints = {host: why for host, member in members.items() if (why := member.complaint(hosts))}
    _refuse(subject, members, complaints, "nothing was begun")
    before = {host: member.settings() for host, member in members.items()}
    places = {host: place for place, host in enumerate(members)}

    def arm(member: Member) -> str:
        share = request.share(places[member.name], hosts)
        return member.arm(_settings(request, member.name, share), ARM_TIME)

    ids, failed = _concurrently(members, arm)
    if not failed:
        _, failed = _concurrently(members, lambda member: member.command("start"))
    if failed:
        _, stuck = _concurrently(
            members, lambda member: _withdraw(member, request, before[member.name], ids.get(member.name))
        )
        left = "".join(f"; {host} did not: {why}" for host, why in stuck.items() if host not in failed)
        _refuse(subject, members, failed, f"the other hosts gave theirs up{left}")
    return Acquisition(request, members, ids)


def _settings(request: Request, host: str, share: int) -> dict[str, object]:
    settings: dict[str, object] = {
        "output_file": request.file_of(host),
        "num_images": share,
        "first_image_id": request.first_id,
        "placement": "by_id",
        "run_id": request.run_id,
        "status_words": "repstream",
    }
    return settings if request.idle_timeout is None else settings | {"idle_timeout": request.idle_timeout}


def _withdraw(
    member: Member, request: Request, before: Mapping[str, object], acquisition_id: str | None
) -> None:
    if acquisition_id is not None:
        member.abort(ARM_TIME)
        _remove_empty(request.file_of(member.name), acquisition_id)
    member.engine.write(before)


def _remove_empty(path: Path, acquisition_id: str) -> None:
    """Remove the file of an acquisition that was given up before its first image, and no other."""
    with suppress(OSError, StorageError):  # then it stays, and the next start says that it exists
        with FileReader(path) as file:
            is_ours = file.result("acquisition_id") == acquisition_id and not file.count
        if is_ours:
            path.unlink()


def _refuse(subject: str, members: Mapping[str, Member], reasons: Mapping[str, str], rest: str) -> None:
    if reasons:
        said = "; ".join(f"{members[host]}: {reason}" for host, reason in reasons.items())
        raise Refused(subject, f"{said}; {rest}")


def _concurrently(
    members: Mapping[str, Member], call: Callable[[Member], _T]
) -> tuple[dict[str, _T], dict[str, str]]:
    """Ask all members at once: host -> answer, and host -> why there is none."""
    answers: dict[str, _T] = {}
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(len(members)) as pool:
        asked = {host: pool.submit(call, member) for host, member in members.items()}
    for host, answer in asked.items():
        try:
            answers[host] = answer.result()
        except (RepstreamError, TimeoutError) as error:
            failed[host] = str(error)
    return answers, failed


def ended_in_files(request: Request, hosts: Sequence[str]) -> list[Progress]:
    """How each host ended, by what its file says: for `join` where nobody followed to the end."""
    return [_in_file(host, request.file_of(host)) for host in hosts]


def _in_file(host: str, path: Path) -> Progress:
    if not path.exists():
        return Progress(host, 0, "lost", f"{path} does not exist")
    with FileReader(path) as file:
        written = int(file.result("written") or 0)
        if file.outcome == UNFINISHED:
            return Progress(
                host, file.count, "lost", f"{path} is not finished: it is being written, or was cut"
            )
        requested = int(file.result("num_requested") or 0)
        whole = is_whole(AcquisitionResult(file.outcome), written, requested)
        word = "completed" if whole else file.outcome
        return Progress(host, written, word, str(file.result("message") or ""))


def join(request: Request, ended: Sequence[Progress], times: Mapping[str, float]) -> host_files.Joined:
    """Make the file that shows what all hosts wrote, in the order of `ended`; raises as `host_files.join`."""
    outcome, message = outcome_of(ended)
    facts: dict[str, Scalar] = {"outcome": outcome, "message": message, "run_id": request.run_id, **times}
    files = {each.host: request.file_of(each.host) for each in ended}
    return host_files.join(request.file, files, request.first_id, request.images, facts)
