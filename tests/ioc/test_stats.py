"""The IOC about itself."""

from __future__ import annotations

import os
import platform

from repstream_epics.names import ioc_prefix
from repstream_epics.server import IocServer
from tests.integration.rig import until
from tests.ioc.board_engine import BoardEngine
from tests.ioc.conftest import Bench


def test_the_ioc_counts_seconds_and_clients(shared_bench: Bench) -> None:
    begin = shared_bench.get("IOC:HEARTBEAT")
    until(lambda: shared_bench.get("IOC:HEARTBEAT") >= begin + 2, "the heartbeat")
    assert shared_bench.get("IOC:PROCESS_ID") == os.getpid()
    assert shared_bench.get("IOC:HOSTNAME") == platform.node()[:39]
    assert shared_bench.get("IOC:RECORD_CNT") == len(shared_bench.ioc.channels)
    assert shared_bench.get("IOC:MEM_USED") > 1e6
    assert shared_bench.get("IOC:CA_CLNT_CNT") >= 1
    until(lambda: shared_bench.get("IOC:CA_CONN_CNT") >= 4, "the channels")
    assert shared_bench.get("IOC:UPTIME").count(":") == 2


def test_several_engines_share_the_pvs_of_their_ioc() -> None:
    ioc = IocServer({"a": BoardEngine(), "b": BoardEngine()}, "T:$(ENGINE):")
    assert ioc_prefix("T:$(ENGINE):") == "T:IOC:"
    assert "T:IOC:HEARTBEAT" in ioc.channels and "T:a:State_RBV" in ioc.channels
