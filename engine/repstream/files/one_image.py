"""A file with one image that somebody has chosen, beside the files of acquisitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import StorageError
from repstream.files.frame_file import FrameFile
from repstream.files.paths import check_target, make_folders
from repstream.files.plan import FilePlan, Scalar
from repstream.messages.compression import compress
from repstream.parameters.writer import WriterConfig
from repstream.states import AcquisitionResult


def write_image(
    writer: WriterConfig,
    roots: Sequence[Path],
    image: NDArray[Any],
    *,
    image_id: int,
    attributes: Mapping[str, Scalar],
    stop_time: float,
) -> Path:
    """Write the image (height, width) as `output_file` of a writer's settings; where it is.

    `attributes` as in `FilePlan`, `stop_time` in Unix seconds. Raises `Refused` where there may be no such
    file, `StorageError` with the system's reason.
    """
    path = check_target(
        writer.output_file,
        roots,
        create_directory=writer.create_directory,
        overwrite=writer.overwrite,
        needed_bytes=image.nbytes,
        user_id=writer.user_id,
    )
    make_folders(path, writer.create_directory, writer.user_id)
    plan = FilePlan(
        path=path,
        detector_name=writer.detector_name,
        shape=(image.shape[0], image.shape[1]),
        dtype=image.dtype,
        compression=writer.compression,
        attributes={**attributes, "num_requested": 1},
        user_metadata=writer.user_metadata,
        overwrite=writer.overwrite,
        user_id=writer.user_id,
        axis=writer.data_axis,
    )
    pixels = np.ascontiguousarray(image).tobytes()
    stored = pixels if writer.compression == "none" else compress(pixels, image.itemsize, writer.compression)
    rows = np.zeros(1, plan.row_dtype)
    rows["image_id"] = image_id
    file = FrameFile.create(plan)
    try:
        file.append([stored], rows)
        file.finish(
            {
                "stop_time": stop_time,
                "outcome": AcquisitionResult.COMPLETED.value,
                "message": "Completed.",
                "received": 1,
                "written": 1,
            }
        )
    except StorageError:
        file.close()
        raise
    return path
