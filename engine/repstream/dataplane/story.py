"""What was reported of acquisitions so far, for a service that takes up their data plane in the middle."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from repstream.dataplane.control import AcquisitionNotice, Arm, Told

_KEPT = 2
"""The newest acquisition of a writer, and the one before it, which may still be flushed."""


class Story:
    """Follows the acquisitions of all writers, by slot; the newest is the last."""

    def __init__(self) -> None:
        self._acquisitions: dict[int, deque[Told]] = {}

    @property
    def acquisitions(self) -> Mapping[int, list[Told]]:
        return {slot: list(told) for slot, told in self._acquisitions.items()}

    def begun(self, request: Arm) -> None:
        """A writer has begun an acquisition."""
        told = self._acquisitions.setdefault(request.slot, deque(maxlen=_KEPT))
        told.append(Told(request.plan, request.frames))

    def heard(self, notice: AcquisitionNotice) -> None:
        """An acquisition has got into another state."""
        # Who takes the data plane up is not asked again for the next series.
        notice = msgspec.structs.replace(notice, follow=False)
        kept = self._acquisitions.get(notice.slot, deque())
        for at, told in enumerate(kept):
            if told.plan.acquisition_id == notice.acquisition_id:
                kept[at] = msgspec.structs.replace(told, notices=(*told.notices, notice))
