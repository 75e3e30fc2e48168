"""Rotation of an image about its middle: by quarter turns exactly, by any other angle with interpolation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from repstream.errors import InvalidValue
from repstream.processing.extras import need_scipy
from repstream.processing.geometry import turned

ORTHOGONAL = "ortho"
MODES = ("reflect", "nearest", "mirror", "wrap")
ORDERS = range(1, 6)
KEY = "rotation"


class Rotation(NamedTuple):
    """An angle in degrees, counter-clockwise with row 0 on top.

    `mode` says what is beyond the image: "ortho" (quarter turns, nothing is), the name of a rule, or a
    constant as text. `order` is that of the spline between pixels.
    """

    angle: float
    order: int = 1
    mode: str = "0.0"

    @property
    def quarters(self) -> int:
        """How many quarter turns; 0 for a rotation that is not one of them."""
        return int(self.angle / 90) % 4 if self.mode == ORTHOGONAL else 0

    def __call__(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image rotated, in its type and (but for quarter turns) its shape."""
        if self.mode == ORTHOGONAL:
            return turned(image, self.quarters)
        from scipy.ndimage import rotate  # noqa: PLC0415 (an extra, and slow to import)

        rule: dict[str, Any] = (
            {"mode": self.mode} if self.mode in MODES else {"mode": "constant", "cval": float(self.mode)}
        )
        rotated: NDArray[Any] = rotate(image, self.angle, reshape=False, order=self.order, **rule)
        return rotated


def configured(value: object) -> Rotation | None:
    """What the key `rotation` says: an angle, or {angle, order, mode}; None for no rotation.

    Raises InvalidValue with what is allowed, ProcessingError where scipy is needed and not installed.
    """
    if not value:
        return None
    fields: Mapping[str, Any] = value if isinstance(value, Mapping) else {"angle": value}
    try:
        angle, order = float(fields.get("angle") or 0), int(fields.get("order") or 1)
    except (TypeError, ValueError):
        raise InvalidValue(KEY, f"angle and order must be numbers, not {value!r}") from None
    mode = str(fields.get("mode", "0.0"))
    if order not in ORDERS:
        raise InvalidValue(KEY, f"order must be from 1 to 5, not {order}")
    if mode != ORTHOGONAL and mode not in MODES and not _is_number(mode):
        raise InvalidValue(KEY, f"mode must be {ORTHOGONAL}, {', '.join(MODES)} or a number, not {mode!r}")
    if not angle:
        return None
    if mode != ORTHOGONAL:
        need_scipy("rotation by an angle that is no quarter turn")
    return Rotation(angle, order, mode)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
