"""A file that shows images of others: made anew under its name for more of them, closed with the results."""

from __future__ import annotations

import os
from collections.abc import Mapping

from repstream.errors import StorageError
from repstream.files import hdf5
from repstream.files.failing import failing
from repstream.files.intact import HEAD
from repstream.files.nexus import nodes
from repstream.files.plan import FilePlan, Scalar
from repstream.files.publish import check_unchanged, is_same_file, publish, settle
from repstream.files.results import ResultFields, close, discard, enter_failure, write_results


class MasterFile:
    """Under the name of `plan`, which the file with the state `replacing` has until the first `show`.

    All methods raise StorageError where the storage fails, or another file has the name by now, which stays.
    """

    def __init__(self, plan: FilePlan, replacing: os.stat_result) -> None:
        self._plan = plan
        self._state = replacing
        self._fd = -1
        self._head = b""
        self._results = ResultFields({})
        self.path = plan.path
        self.nbytes = 0

    def show(self, tree: Mapping[str, nodes.Node]) -> None:
        """Put a file with this content in the place of the one before, in one step."""
        image, plan = hdf5.build(tree), self._plan
        fd = publish(
            self.path, image.data, lambda: is_same_file(self.path, self._state), plan.user_id, plan.start
        )
        if self._fd >= 0:
            discard(self._fd)
        self._fd, self._state = fd, os.fstat(fd)
        self._head, self.nbytes = image.data[:HEAD], len(image.data)
        self._results = ResultFields(image.fields)

    def check_in_place(self) -> None:
        """As `FrameFile.check_in_place`."""
        check_unchanged(self.path, self._fd, self._head, self.nbytes)

    def check_results(self, results: Mapping[str, Scalar]) -> None:
        """Raise ValueError for results that no file takes, StorageError where this one is closed."""
        if self._fd < 0:  # the number may be another file's by now
            raise StorageError(f"{self.path} is closed")
        self._results.encode(results)

    def sync(self) -> None:
        """Put it on the disk, and its name."""
        with failing(self.path, "is not safe on the disk"):
            settle(self._fd, self.path)

    def finish(self, results: Mapping[str, Scalar], images: int | None = None) -> None:
        """Enter the results, put all on the disk and close, in any case; `images` as in `ResultFields`."""
        try:
            self.check_in_place()
            write_results(self._fd, self._results.encode(results, images))
            settle(self._fd, self.path)
        except OSError as error:
            reason = f"{self.path} cannot be finished: {error.strerror or error}"
            enter_failure(self._fd, self._results, reason)
            raise StorageError(reason) from error
        finally:
            self.close()

    def close(self) -> None:
        """Give it up as it is; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            close(fd, self.path)
