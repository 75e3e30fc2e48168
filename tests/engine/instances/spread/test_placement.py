"""Which server an instance goes to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstream.errors import Refused
from repstream.instances.spread.placement import Candidate, choose
from repstream.instances.spread.servers import Server

A, B, C = (f"http://{host}:8880" for host in "abc")


def of(address: str, *, problem: str = "", instances: int = 0, cpu: float = 0, **said: object) -> Candidate:
    return Candidate(address, Server.model_validate(said), problem, instances, cpu)


def test_the_least_loaded_by_number_cpu_and_capacity() -> None:
    assert choose("x", [of(A, instances=2), of(B, instances=1), of(C, instances=3)]).address == B
    assert choose("x", [of(A, instances=1, cpu=350), of(B, instances=3, cpu=20)]).address == B
    assert choose("x", [of(A, instances=3), of(B, instances=8, capacity=4)]).address == B
    assert choose("x", [of(A), of(B)]).address == A


def test_the_server_that_names_it_even_if_it_takes_no_others() -> None:
    servers = [of(A)]
    named = Candidate(B, Server(expanding=False, instances=("x:10101", "#y")), instances=9)
    assert choose("x", [servers[0], named]).address == B
    assert choose("y", [servers[0], named]).address == A
    assert named.server.port_of("x") == 10101 and named.server.port_of("y") is None


def test_a_pipeline_beside_its_camera() -> None:
    cameras = Candidate(B, Server(cameras=("cam",)), instances=5)
    assert choose("p", [of(A), cameras], camera="cam").address == B
    assert choose("p", [of(A), of(B, instances=5)], near="b").address == B
    assert choose("p", [of(A), of(B, problem="is mute")], near="b").address == A
    assert choose("p", [of(A), of(B, instances=5, expanding=False)], near="b").address == A


def test_beside_the_pipelines_that_it_is_connected_to_or_nowhere() -> None:
    assert choose("p", [of(A), of(B, expanding=False)], beside={B}).address == B
    with pytest.raises(Refused, match="different servers"):
        choose("p", [of(A), of(B)], beside={A, B})
    with pytest.raises(Refused, match="not in use"):
        choose("p", [of(A), of(B, problem="is mute")], beside={B})


def test_none_that_can_take_it_is_said_for_each() -> None:
    with pytest.raises(Refused, match=f"{A} is mute; {B} takes no new ones"):
        choose("x", [of(A, problem="is mute"), of(B, expanding=False)])
    with pytest.raises(Refused, match="none is enabled"):
        choose("x", [])


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=5), st.integers(1, 40))
def test_many_are_shared_out_by_capacity(servers: list[tuple[bool, int]], number: int) -> None:
    there = [i for i, (reachable, _) in enumerate(servers) if reachable]
    taken: Counter[int] = Counter()
    for n in range(number if there else 0):
        candidates = [
            of(f"http://{i}", problem="" if up else "is mute", instances=taken[i], capacity=capacity)
            for i, (up, capacity) in enumerate(servers)
        ]
        taken[int(choose(f"x{n}", candidates).address.removeprefix("http://"))] += 1
    assert sum(taken.values()) == (number if there else 0) and set(taken) <= set(there)
    # No one has more for its capacity than another would have with one more.
    for i in there:
        for j in there:
            assert (taken[i] - 1) / servers[i][1] <= taken[j] / servers[j][1]
