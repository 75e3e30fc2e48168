"""The file over those of several receivers: made with its name, and finished when all of them are closed.

What may wait for a disk is done in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from repstream.dataplane.storing.image_kind import placeholder_of
from repstream.errors import RepstreamError
from repstream.files.placeholder import Placeholder
from repstream.files.removal import removed_after
from repstream.files.shared_images import SharedImages, show
from repstream.service.receivers.shared_acquisition import SharedAcquisition

log = logging.getLogger(__name__)

Task = Callable[[], None]


class FilesOverParts:
    """`post` has a task done by the thread that owns the acquisitions, `ended` is called there at the end.

    An acquisition is given up where not all receivers took it: its files, which have no image, go.
    """

    def __init__(self, post: Callable[[Task], None], ended: Callable[[SharedAcquisition], None]) -> None:
        self._post = post
        self._ended = ended
        self._masters: dict[str, Placeholder] = {}
        self.given_up: set[str] = set()

    def begin(self, acquisition: SharedAcquisition) -> None:
        """Make the file, which waits for images."""
        self._aside(lambda: self._make(acquisition))

    def finish(self, acquisition: SharedAcquisition) -> None:
        """Have the file show what all parts have; then `SharedAcquisition.shown`."""
        self._aside(lambda: self.finished(acquisition))

    def finished(self, acquisition: SharedAcquisition) -> Task:
        """The same at once; what is to be done then."""
        plan, master = acquisition.plan, self._masters.get(acquisition.id)
        report, results = acquisition.results(None)
        failure = ""
        if acquisition.id in self.given_up:
            _remove(acquisition, master)
        elif master is not None:
            try:
                images = SharedImages(
                    acquisition.files,
                    plan.shared_step,
                    acquisition.ids.first,
                    acquisition.most,
                    by_id=plan.placement == "by_id",
                )
                report, results = acquisition.results(images)
                unwanted = [] if plan.keep_empty_file or report.ledger.sent else acquisition.all_files
                with removed_after(unwanted, plan.user_id):
                    show(master, images, plan.compression, results)
            except Exception as error:
                failure = _reason(error)
                with suppress(RepstreamError, OSError):
                    master.finish({"outcome": "failed", "message": f"ERROR:{failure}"})

        def end() -> None:
            self._masters.pop(acquisition.id, None)
            self._ended(acquisition)
            acquisition.shown(report, failure)
            self.given_up.discard(acquisition.id)

        return end

    def _make(self, acquisition: SharedAcquisition) -> Task:
        try:
            master = placeholder_of(acquisition.plan)
        except Exception as error:
            reason = _reason(error)
            return lambda: acquisition.on_master(reason)

        def made() -> None:
            self._masters[acquisition.id] = master
            acquisition.on_master()

        return made

    def _aside(self, work: Callable[[], Task]) -> None:
        threading.Thread(target=lambda: self._post(work()), name="shared file", daemon=True).start()


def _reason(error: Exception) -> str:
    """Why a file could not be made. Whatever it is, the acquisition ends: nobody else would end it."""
    if not isinstance(error, RepstreamError | OSError):
        log.error("a fault of the engine, in the file over those of its receivers", exc_info=error)
        return f"{type(error).__name__}: {error}"
    return str(error)


def _remove(acquisition: SharedAcquisition, master: Placeholder | None) -> None:
    there = [path for path in acquisition.all_files if path.exists()]
    with suppress(RepstreamError, OSError), removed_after(there, acquisition.plan.user_id):
        if master is not None:
            master.close()
