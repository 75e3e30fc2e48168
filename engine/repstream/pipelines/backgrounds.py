"""The image that is subtracted: collected before, kept by its id."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from repstream.errors import InvalidValue
from repstream.pipelines.control import Folders


def load_background(folders: Folders, identifier: object) -> NDArray[Any] | None:
    """The background of this id; None where none is asked for. Raises `InvalidValue`."""
    if not identifier:
        return None
    name = str(identifier)
    if "/" in name or "\0" in name or name.startswith("."):
        raise InvalidValue(
            "image_background", f"{name!r:.200} is no id of a background: it has a slash or a dot"
        )
    if folders.backgrounds is None:
        raise InvalidValue(
            "image_background", f"{name!r:.200} is not there: no folder of backgrounds is configured"
        )
    try:
        with (folders.backgrounds / f"{name}.npy").open("rb") as file:
            image: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise InvalidValue("image_background", f"there is no background {name!r:.200}") from None
    except (OSError, ValueError) as error:
        raise InvalidValue("image_background", f"background {name!r:.200} cannot be read: {error}") from None
    return image
