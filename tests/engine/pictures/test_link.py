"""Whoever looks at pictures goes on looking when the engine was started again and has them elsewhere."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue

from tests.engine.pictures.serving import picture, studio
from tests.fakes import running_service
from tests.waiting import until

from repstream.pictures.link import PictureLink
from repstream.pictures.picture import Picture

PATIENCE = 20.0


def test_a_viewer_follows_the_pictures_to_another_address(tmp_path: Path) -> None:
    came: SimpleQueue[Picture] = SimpleQueue()
    with running_service(tmp_path) as (service, _), studio() as first, studio() as second:
        address = "pictures.1.address"
        service._context.put({address: first.address})
        link = PictureLink(service)
        pictures = link.of(1)
        assert pictures is not None
        threads = threading.active_count()
        subscription = pictures.subscribe(1, came.put)
        first.show(picture(2000))
        assert came.get(timeout=PATIENCE).number == 2000
        service._context.put({address: ""})  # the engine is gone for a while
        service._context.put({address: second.address})
        second.show(picture(7))  # it may begin with lower numbers
        assert came.get(timeout=PATIENCE).number == 7
        assert link.of(1) is pictures
        until(lambda: threading.active_count() <= threads, "the end of the first link's threads")
        subscription.close()
        link.close()
