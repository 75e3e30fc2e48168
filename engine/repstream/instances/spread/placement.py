"""Which server an instance goes to: a decision, from what is known of the servers."""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from repstream.errors import Refused
from repstream.instances.spread.servers import Server


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server as it is: what its file says, why it cannot be reached (empty: it can), and what it does.

    `instances` are those that it has or is about to have, `cpu` what they take in percent of one core.
    """

    address: str
    server: Server
    problem: str = ""
    instances: int = 0
    cpu: float = 0.0

    @property
    def load(self) -> float:
        """Each instance counts as one, and each core that they keep busy as another one."""
        return (self.instances + self.cpu / 100) / self.server.capacity


def choose(
    name: str,
    candidates: Sequence[Candidate],
    *,
    camera: str = "",
    near: str = "",
    beside: Collection[str] = (),
) -> Candidate:
    """The server for an instance that runs nowhere; raises `Refused` where none can take it.

    `camera` is that of a pipeline, `near` the host that sends its images. `beside` are the servers of the
    pipelines that it is connected to, which must be one. Otherwise: the server that names it, or its camera;
    else of those that take new ones those on the host of its images, if any; of these the least loaded.
    """
    there = [each for each in candidates if not each.problem]
    if beside:
        return _beside(name, there, beside)
    ways = (
        [each for each in there if each.server.port_of(name) is not None],
        [each for each in there if camera and camera in each.server.cameras],
        [each for each in there if each.server.expanding and near and host_of(each.address) == near],
        [each for each in there if each.server.expanding],
    )
    for way in ways:
        if way:
            return min(way, key=lambda each: each.load)
    raise Refused(name, f"no server can take it: {'; '.join(map(_why_not, candidates)) or 'none is enabled'}")


def host_of(address: str) -> str:
    """The host in an address."""
    return urllib.parse.urlsplit(address).hostname or ""


def _beside(name: str, there: Sequence[Candidate], beside: Collection[str]) -> Candidate:
    if len(beside) > 1:
        raise Refused(
            name,
            f"the pipelines that it is connected to run on different servers ({', '.join(sorted(beside))}): "
            "stop one of them, or give both to one server",
        )
    for each in there:
        if each.address in beside:
            return each
    raise Refused(name, f"the server of the pipelines that it is connected to is not in use: {min(beside)}")


def _why_not(candidate: Candidate) -> str:
    return f"{candidate.address} {candidate.problem or 'takes no new ones'}"
