"""The file of servers, with cam_server's keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.waiting import until

from repstream.errors import InvalidValue, Refused
from repstream.instances.spread.servers import Server, ServersFile, is_address

USUAL = {"http://here:8888": Server()}
SAID = {
    "http://a:8880/": {"enabled": True, "expanding": False, "instances": ["x:10101", "#y"], "more": 1},
    "http://b:8880": {"enabled": False},
}


@pytest.fixture
def file(tmp_path: Path) -> ServersFile:
    return ServersFile(tmp_path / "servers.json", USUAL)


def test_without_a_file_or_with_an_empty_one_the_usual_ones_count(file: ServersFile, tmp_path: Path) -> None:
    assert file.servers() == USUAL
    assert file.document() == {
        "http://here:8888": {"enabled": True, "expanding": True, "instances": [], "cameras": []}
    }
    (tmp_path / "servers.json").write_text("{}")
    assert file.servers() == USUAL


def test_what_is_written_counts_and_is_kept_as_it_is(file: ServersFile, tmp_path: Path) -> None:
    file.write(SAID)
    servers = file.servers()
    assert list(servers) == ["http://a:8880", "http://b:8880"]
    assert servers["http://a:8880"].port_of("x") == 10101 and not servers["http://b:8880"].enabled
    assert file.document() == SAID == json.loads((tmp_path / "servers.json").read_text())


def test_what_others_write_counts_too(file: ServersFile, tmp_path: Path) -> None:
    file.write(SAID)
    assert len(file.servers()) == 2
    (tmp_path / "servers.json").write_text(json.dumps({"http://c:1": {}}))
    until(lambda: list(file.servers()) == ["http://c:1"], "the new file")
    (tmp_path / "servers.json").unlink()
    assert file.servers() == USUAL


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "object"),
        ({"http://a": 1}, "object of objects"),
        ({"a:8880": {}}, "no address of a server"),
        ({"http://a": {"enabled": "perhaps"}}, "enabled"),
        ({"http://a": {"instances": "x"}}, "instances"),
        ({"http://a": {"capacity": 0}}, "capacity"),
    ],
)
def test_what_is_wrong_is_refused_and_the_file_stays(
    file: ServersFile, tmp_path: Path, document: object, reason: str
) -> None:
    file.write(SAID)
    with pytest.raises(InvalidValue, match=reason):
        file.write(document)
    assert file.document() == SAID
    (tmp_path / "servers.json").write_text(json.dumps(document) + "  ")
    with pytest.raises(Refused, match=reason):
        file.servers()


def test_addresses() -> None:
    assert is_address("http://a:1") and is_address("https://a")
    assert not any(map(is_address, ("", "a:1", "tcp://a:1", "http://", "http://[")))
