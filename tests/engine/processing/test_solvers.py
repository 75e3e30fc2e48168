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

from repstream.processing import minpack
from repstream.processing.gaussian import Curve, first_guess, fit
from repstream.processing.solvers import Solvers

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


@settings(deadline=None, max_examples=150, derandomize=True)
@given(PROFILES, st.sampled_from([compiled, plain]))
def test_all_fit_alike(profile: dict[str, Any], solvers: Callable[[], Solvers]) -> None:
    heights, places = made(**profile)
    guess = first_guess(heights, places)
    theirs, ours = np.array(guess), np.array(guess)
    found = minpack.minimise(heights, places, theirs)
    assert solvers().minimise(heights, places, ours) == found
    if found and not np.allclose(ours, theirs, rtol=1e-4, atol=1e-4):
        # Flat: the sum of squares says that one is as good as the other.
        least, most = sorted(cost(at, heights, places) for at in (ours, theirs))
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


@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4", "i4", "i8"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (5000, 4), (3, 5000)])
def test_sums_are_exact(solvers: Solvers, dtype: str, shape: tuple[int, int]) -> None:
    limits = np.iinfo("i4" if dtype == "i8" else dtype)
    image = np.random.default_rng(1).integers(limits.max // 2, limits.max, shape, endpoint=True).astype(dtype)
    for seen in (image, image[::-1, ::-1], image.T, image[: shape[0] // 2 + 1, : shape[1] // 2 + 1]):
        rows, columns = solvers.profiles(seen)
        np.testing.assert_array_equal(rows, seen.sum(axis=1, dtype=np.int64))
        np.testing.assert_array_equal(columns, seen.sum(axis=0, dtype=np.int64))
        assert rows.dtype == columns.dtype == np.int64


def made(
    *, points: int, center: float, sigma: float, amplitude: float, descending: bool, **uneven: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    places = np.arange(points, dtype=np.float64)[:: -1 if descending else 1]
    curve = Curve(100.0, amplitude, center * points, sigma * points).along(places)
    noise = np.random.default_rng(uneven["seed"]).normal(0, uneven["noise"], points)
    tilted = curve + amplitude * (uneven["slope"] * places / points + noise)
    return tilted.astype(np.float32).astype(np.float64), places


def cost(at: NDArray[np.float64], heights: NDArray[np.float64], places: NDArray[np.float64]) -> float:
    return float(np.sum((Curve(*at.tolist()).along(places) - heights) ** 2))
