"""Keys in files: who may read them, what is refused, and that pyzmq reads them too."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import zmq.auth

from repstream.errors import Refused
from repstream.sockets.keys import Keys

PUBLIC = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "settings" / "keys")


def test_a_secret_key_is_for_its_owner_and_for_pyzmq(keys: Keys) -> None:
    made = keys.create("detector")
    secret = keys.place / "detector.key_secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.place.stat().st_mode) == 0o700
    assert zmq.auth.load_certificate(secret) == (made.public.encode(), keys.pair("detector").secret)
    assert zmq.auth.load_certificate(keys.place / "detector.key") == (made.public.encode(), None)
    assert keys.pair("detector").secret.decode() not in (keys.place / "detector.key").read_text()
    assert keys.pair("detector").secret.decode() not in repr(keys.pair("detector"))
    assert not keys.is_exposed("detector")
    secret.chmod(0o640)
    assert keys.is_exposed("detector")


def test_keys_made_by_pyzmq_are_read(keys: Keys) -> None:
    keys.place.mkdir(parents=True)
    zmq.auth.create_certificates(keys.place, "theirs")
    assert [(key.name, key.own) for key in keys] == [("theirs", True)]
    assert keys.pair("theirs").public == keys.public("theirs")


def test_a_name_is_rotated_and_forgotten_but_never_taken_twice(keys: Keys) -> None:
    first = keys.create("a")
    with pytest.raises(Refused, match="repstream keys rotate a"):
        keys.create("a")
    with pytest.raises(Refused, match="there is a key 'a'"):
        keys.add("a", PUBLIC)
    second = keys.rotate("a")
    assert second.public != first.public and keys.public("a").decode() == second.public
    keys.remove("a")
    assert list(keys) == []
    assert list(keys.place.iterdir()) == []


def test_somebody_elses_key_is_public_only(keys: Keys) -> None:
    keys.add("b", PUBLIC)
    assert [(key.name, key.own, key.public) for key in keys] == [("b", False, PUBLIC)]
    with pytest.raises(Refused, match="there is no key pair 'b'"):
        keys.pair("b")


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "a b", "a" * 65, "ä", "a\n"])
def test_what_is_no_name_is_refused(keys: Keys, name: str) -> None:
    for work in (keys.create, keys.public, keys.pair, keys.rotate, keys.remove):
        with pytest.raises(Refused, match="is no name of a key"):
            work(name)


@pytest.mark.parametrize("public", ["", "short", PUBLIC[:-1], PUBLIC + "a", "ä" * 40, " " * 40])
def test_what_is_no_key_is_refused(keys: Keys, public: str) -> None:
    with pytest.raises(Refused, match="no public key"):
        keys.add("c", public)
    assert list(keys) == []


def test_a_missing_or_damaged_key_says_where_it_should_be(keys: Keys) -> None:
    with pytest.raises(Refused, match=rf"no public key 'x' in {keys.place}; `repstream keys add x KEY`"):
        keys.public("x")
    keys.create("x")
    (keys.place / "x.key").write_text("curve\n")
    with pytest.raises(Refused, match="holds no public key"):
        keys.public("x")
    (keys.place / "x.key").write_bytes(b"\xff")
    with pytest.raises(Refused, match="it is no text"):
        keys.public("x")
