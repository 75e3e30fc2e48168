"""`RayLauncher`: engines are placed, and started anew, by Ray (extra ``cluster``).

An engine is kept by a named, detached actor, which Ray starts anew after its death, on another host where
that of before is gone. The engine itself is a process apart (`holder`): it goes on while its actor is started
anew, and only what an acquisition does on a host that is lost ends there. Ray carries control alone.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from repstream.cluster import holder
from repstream.cluster.launcher import Placed, Wanted
from repstream.errors import ChildError, Refused
from repstream.link.remote import RemoteEngine

NAMESPACE = "repstream"

ANSWER_TIME = 30.0
"""Seconds that an engine has to answer after its start."""


class Keeper:
    """The actor that keeps one engine; made anew wherever Ray places it."""

    def __init__(self, wanted: Wanted) -> None:
        host = ray.util.get_node_ip_address()
        address = f"tcp://{host}:{wanted.port}"
        options = ("--name", wanted.name, "--engine-address", address, *wanted.options)
        command = (sys.executable, "-m", "repstream_cli", "serve", *options)
        self._line, held = holder.reach(wanted.name, wanted.patience, command)
        self._is_stopped = False
        threading.Thread(target=self._follow, name="engine", daemon=True).start()
        with closing(RemoteEngine(address, os.environ.get("REPSTREAM_KEY", ""))) as engine:
            engine.wait_connected(ANSWER_TIME)
        self._placed = Placed(
            wanted.name, address, socket.gethostname(), held.since, os.getpid(), held.process_id
        )

    def placed(self) -> Placed:
        """Where the engine is; it answers there."""
        return self._placed

    def stop(self) -> None:
        """End the engine in good order."""
        self._is_stopped = True
        self._line.send(holder.STOP)
        self._line.settimeout(holder.END_TIME + 5)
        self._line.recv(1)

    def _follow(self) -> None:
        with suppress(OSError):
            self._line.recv(1)
        if not self._is_stopped:
            os._exit(1)  # Ray starts this anew, and that the engine


class RayLauncher:
    """Fills `launcher.Launcher` in the cluster of Ray at `address` ("auto": the one that this host is in).

    Raises `Refused` where there is none, or it does not know our token.
    """

    def __init__(self, address: str = "auto") -> None:
        if address != "auto":
            _check_answers(address)
        try:
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level="WARNING")
        except (ConnectionError, RuntimeError) as error:
            raise Refused("cluster", f"no cluster of Ray at {address}: {error}") from error

    def start(self, wanted: Wanted, timeout: float) -> Placed:
        offered = ray.cluster_resources()
        if lacking := [name for name, amount in wanted.needs.items() if offered.get(name, 0) < amount]:
            own = ", ".join(sorted(name for name in offered if ":" in name and not name.startswith("node:")))
            raise Refused(
                wanted.name, f"no host offers {', '.join(lacking)}; offered are {own or 'no such things'}"
            )
        keeper: Any = ray.remote(Keeper)
        try:
            actor = keeper.options(
                name=wanted.name,
                lifetime="detached",
                max_restarts=-1,
                num_cpus=0,
                resources=wanted.needs,
                max_concurrency=4,
            ).remote(wanted)
        except ValueError as error:
            raise Refused(wanted.name, "an engine of this name is there already; stop it first") from error
        try:
            placed: Placed = ray.get(actor.placed.remote(), timeout=timeout)
        except (GetTimeoutError, RayActorError) as error:
            ray.kill(actor)
            taken = "a host has what it needs left"
            raise Refused(
                wanted.name, f"did not answer within {timeout:.0f} s: see whether {taken}; {error}"
            ) from error
        return placed

    def stop(self, name: str, timeout: float) -> None:
        try:
            actor = ray.get_actor(name)
        except ValueError as error:
            known = ", ".join(ray.util.list_named_actors()) or "none"
            raise Refused(name, f"there is no such engine; there are {known}") from error
        try:
            ray.get(actor.stop.remote(), timeout=timeout)
        except (GetTimeoutError, RayActorError) as error:
            raise ChildError(f"engine {name} did not end within {timeout:.0f} s: {error}") from error
        finally:
            ray.kill(actor)

    def engines(self, timeout: float) -> Sequence[Placed]:
        asked = {name: ray.get_actor(name).placed.remote() for name in ray.util.list_named_actors()}
        return [_answer(name, reference, timeout) for name, reference in asked.items()]

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise `Refused` where nobody listens: Ray itself goes on trying for more than a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 5).close()
    except (OSError, ValueError) as error:
        raise Refused("cluster", f"no cluster of Ray at {address}: {error}") from error


def _answer(name: str, reference: Any, timeout: float) -> Placed:
    try:
        placed: Placed = ray.get(reference, timeout=timeout)
    except (GetTimeoutError, RayActorError):
        return Placed(name)
    return placed
