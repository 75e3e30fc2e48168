"""Compiled and not: the same fits and sums.

Of beams wider than a pixel: of narrower ones there is not enough to tell one curve from another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.engine.processing.conftest import compiled, plain
from tests.waiting import until

from repstream.processing.axes import counted
from repstream.processing.camera import View
from repstream.processing.curve import Curve, moments
from repstream.processing.gaussian import each_fitted, fit
from repstream.processing.profiles import Profiles, profiles, with_extremes
from repstream.processing.regions import whole
from repstream.processing.slices import Orientation, Slicing, cuts, slices
from repstream.processing.solvers import SOLVERS, Solvers

PROFILES = st.fixed_dictionaries(
    {
        "points": st.integers(20, 300),
        "center": st.floats(-0.1, 1.1),
        "sigma": st.floats(0.06, 0.4),
        "amplitude": st.floats(10, 1e6),
        "slope": st.floats(-0.5, 0.5),
        "noise": st.sampled_from([0.0, 0.001, 0.05]),
        "descending": st.booleans(),
        "seed": st.integers(0, 1000),
    }
)


@pytest.mark.parametrize("solvers", [compiled, plain])
@settings(deadline=None, max_examples=80, derandomize=True)
@given(profile=PROFILES)
def test_all_fit_alike(solvers: Callable[[], Solvers], profile: dict[str, Any]) -> None:
    heights, places = made(**profile)
    theirs, alone = by(Solvers(), heights, places), by(solvers(), heights, places)
    assert alone.converged == theirs.converged
    (curve, total) = by(solvers(), heights, places, each=True)
    assert curve == alone.curve and total == pytest.approx(heights.sum(), rel=1e-12, abs=1e-6)
    np.testing.assert_allclose(alone.values, alone.curve.along(places), rtol=1e-12)
    around = moments(heights, places, alone.curve)
    np.testing.assert_allclose((alone.center_of_mass, alone.rms), around, rtol=1e-9, atol=1e-9)
    if theirs.converged and not np.allclose(alone.curve, theirs.curve, rtol=1e-4, atol=1e-4):
        # Flat: the sum of squares says that one is as good as the other.
        least, most = sorted(cost(fit.curve, heights, places) for fit in (alone, theirs))
        assert most - least <= 1e-5 * least + 1e-9 * profile["amplitude"] ** 2


def test_numba_is_loaded_where_images_keep_coming() -> None:
    solvers = Solvers(patience=3)
    for _ in range(2):
        solvers.count()
    assert not solvers.ready
    solvers.count()
    until(lambda: solvers.ready, "the compiled code", 100)


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("profile", [[1, 2, np.nan, 4, 5], [3, 3, 3, 3], [1, 2, 1], [np.inf, 0, 0, 0]])
def test_what_cannot_be_fitted_says_so(profile: list[float]) -> None:
    found = fit(np.array(profile), np.arange(len(profile)))
    assert not found.converged or np.ptp(profile) == 0


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "i4", "i8"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5000, 4), (3, 5000)])
def test_sums_are_exact(dtype: str, shape: tuple[int, int]) -> None:
    limits = np.iinfo("i4" if dtype == "i8" else dtype)
    image = np.random.default_rng(1).integers(limits.max // 2, limits.max, shape, endpoint=True).astype(dtype)
    half = slice(shape[0] // 3, shape[0] // 2 + 1), slice(shape[1] // 4, shape[1] // 2 + 1)
    for seen in (image, image[::-1, ::-1], image.T):
        found, least, most = with_extremes(seen)
        assert (least, most, least.dtype) == (seen.min(), seen.max(), seen.dtype)
        are_sums(found, seen)
    are_sums(profiles(image, half), image[half])


def are_sums(found: Profiles, image: NDArray[Any]) -> None:
    np.testing.assert_array_equal(found.y, image.sum(axis=1, dtype=np.int64))
    np.testing.assert_array_equal(found.x, image.sum(axis=0, dtype=np.int64))
    assert found.x.dtype == found.y.dtype == np.int64


@pytest.mark.usefixtures("solvers")
@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f8"])
def test_slices_of_a_part_are_those_of_the_part_alone(dtype: str, orientation: Orientation) -> None:
    y, x = np.mgrid[:90, :120]
    image = (200 * np.exp(-(((x - 60) / 12) ** 2) - ((y - 40 - x / 20) / 9) ** 2)).astype(dtype)
    image.flags.writeable = False
    part, asked = (slice(5, 80), slice(11, 110)), Slicing(5, 3.0, orientation)
    view = View(image, counted(120), counted(90))
    alone = View(image[part], view.x_axis[part[1]], view.y_axis[part[0]])
    curve = Curve(0.0, 1.0, 61.0 if orientation == "horizontal" else 42.0, 9.0)
    found, length = slices(view, part, curve, asked)
    assert (found, length) == slices(alone, whole(alone.image), curve, asked) and length
    lines = cuts(alone.x_axis if orientation == "horizontal" else alone.y_axis, *curve[2:], 3.0, 5)
    for first, one in zip(lines.boundaries, found, strict=False):
        cut = slice(first, first + 2 * lines.half)
        pixels = alone.image[:, cut] if orientation == "horizontal" else alone.image[cut]
        assert one.intensity == pytest.approx(pixels.sum(dtype=np.float64))
    assert len(found) == 5


def made(
    *, points: int, center: float, sigma: float, amplitude: float, descending: bool, **uneven: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    places = np.arange(points, dtype=np.float64)[:: -1 if descending else 1]
    curve = Curve(100.0, amplitude, center * points, sigma * points).along(places)
    noise = np.random.default_rng(uneven["seed"]).normal(0, uneven["noise"], points)
    tilted = curve + amplitude * (uneven["slope"] * places / points + noise)
    return tilted.astype(np.float32).astype(np.float64), places


def cost(curve: Curve, heights: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    return float(np.sum((curve.along(places) - heights) ** 2))


def by(solvers: Solvers, heights: NDArray[Any], places: NDArray[Any], each: bool = False) -> Any:
    """The fit by these, as a profile alone, or as one of a number of rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SOLVERS, "minimise", solvers.minimise)
        patch.setattr(SOLVERS, "compiled", solvers.compiled)
        return each_fitted(np.stack([heights[::-1], heights]), places)[1] if each else fit(heights, places)
