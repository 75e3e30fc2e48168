"""Levenberg-Marquardt for a Gaussian on an offset, compiled, as MINPACK does it (Moré 1978).

MINPACK decomposes the matrix of derivatives, with a row for each point. All it needs of it are the sums of
products of its columns, four by four here: they come with the residuals in one pass, and what is left to do
is small. Steps, limits and endings are MINPACK's, so that the same way leads to the same minimum.

Needs numba (extra ``numba``). Plain loops, because array expressions take many times longer to compile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from repstream.processing import minpack
from repstream.processing.minpack import MOST_STEPS, TOLERANCE

Numbers = NDArray[np.float64]

COUNT = 4
"""Parameters: offset, amplitude, mean, sigma."""

FARTHEST = 100.0
"""The first step may be as long as so many times the parameters, each in units of its derivative."""

NEAR = 0.1
"""A step is as long as it may be, when it is within this fraction."""

LEAST_GAIN = 1e-4
TINY = 1e-300

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function in machine code, which is kept beside its module.

    Several terms of a sum may be added at once, in another order than they are written. What is kept is
    made anew when this module changes, not when another one does: nothing of another is used in it.
    """
    made: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function)
    return cast(F, made)


@compiled
def products(heights: Numbers, places: Numbers, at: Numbers) -> Numbers:
    """Sums of products of the residuals (row 0) and their derivatives by each parameter, symmetric 5 × 5."""
    offset, amplitude, mean, sigma = at[0], at[1], at[2], at[3]
    rr = r1 = rb = rm = rs = bb = b1 = bm = bs = m1 = mm = ms = s1 = ss = 0.0
    for i in range(len(heights)):
        z = (places[i] - mean) / sigma
        bell = math.exp(-0.5 * z * z)
        r = offset + amplitude * bell - heights[i]
        m = amplitude * bell * z / sigma
        s = m * z
        rr += r * r
        r1 += r
        rb += r * bell
        rm += r * m
        rs += r * s
        b1 += bell
        bb += bell * bell
        bm += bell * m
        bs += bell * s
        m1 += m
        mm += m * m
        ms += m * s
        s1 += s
        ss += s * s
    sums = np.empty((COUNT + 1, COUNT + 1))
    sums[0, 0], sums[0, 1], sums[0, 2], sums[0, 3], sums[0, 4] = rr, r1, rb, rm, rs
    sums[1, 1], sums[1, 2], sums[1, 3], sums[1, 4] = float(len(heights)), b1, m1, s1
    sums[2, 2], sums[2, 3], sums[2, 4] = bb, bm, bs
    sums[3, 3], sums[3, 4], sums[4, 4] = mm, ms, ss
    for i in range(COUNT + 1):
        for j in range(i):
            sums[i, j] = sums[j, i]
    return sums


@compiled
def dot(one: Numbers, other: Numbers) -> float:
    """The sum of products of two vectors of the parameters."""
    return float(one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3])


@compiled
def solve(matrix: Numbers, damping: float, right: Numbers, x: Numbers) -> float:
    """Solve (matrix + damping on its diagonal) · x = right into `x`, and return its length.

    NaN where the matrix is not positive definite.
    """
    rows = np.empty((COUNT, COUNT))
    for i in range(COUNT):
        x[i] = right[i]
        for k in range(COUNT):
            rows[i, k] = matrix[i, k]
        rows[i, i] += damping
    for i in range(COUNT):
        if not rows[i, i] > 0:
            return math.nan
        for j in range(i + 1, COUNT):
            factor = rows[j, i] / rows[i, i]
            for k in range(i, COUNT):
                rows[j, k] -= factor * rows[i, k]
            x[j] -= factor * x[i]
    for back in range(COUNT):
        i = COUNT - 1 - back
        for k in range(i + 1, COUNT):
            x[i] -= rows[i, k] * x[k]
        x[i] /= rows[i, i]
    return math.sqrt(dot(x, x))


@compiled
def limited_step(curvature: Numbers, down: Numbers, longest: float, before: float, step: Numbers) -> float:
    """Put into `step` the one that lowers the sum of squares most, no longer than `longest`; its damping.

    `down` is against the slope, `before` the damping of the last step, where the search begins.
    """
    length = solve(curvature, 0.0, down, step)
    if length <= (1 + NEAR) * longest:
        return 0.0
    along = np.empty(COUNT)
    least, most = 0.0, math.sqrt(dot(down, down)) / longest
    if math.isfinite(length):
        solve(curvature, 0.0, step, along)
        least = (length - longest) * length * length / longest / dot(step, along) * longest / length
    damping = min(max(before, least), most)
    if damping == 0:
        damping = most * longest / length if math.isfinite(length) else 0.001 * most
    for _ in range(10):
        damping = max(damping, TINY)
        length = solve(curvature, damping, down, step)
        short_enough = least == 0 and length <= longest  # nothing longer is known to exist
        if short_enough or abs(length - longest) <= NEAR * longest:
            break
        if not math.isfinite(length):
            damping *= 10
            continue
        if length > longest:
            least = max(least, damping)
        else:
            most = min(most, damping)
        solve(curvature, damping, step, along)
        change = (length - longest) / longest * length * length / dot(step, along)
        damping = max(least, damping + change)
    return damping


@compiled
def scaled(sums: Numbers, first: bool, scale: Numbers, down: Numbers, curvature: Numbers) -> bool:
    """Fill in `scale`, slope and `curvature` from the sums of products; false if they are not numbers."""
    for i in range(COUNT):
        length = math.sqrt(sums[i + 1, i + 1])
        if not math.isfinite(length):
            return False
        if first:
            scale[i] = length if length > 0 else 1.0
        scale[i] = max(scale[i], length)
    for i in range(COUNT):
        down[i] = -sums[0, i + 1] / scale[i]
        for k in range(COUNT):
            curvature[i, k] = sums[i + 1, k + 1] / scale[i] / scale[k]
    return math.isfinite(sums[0, 0])


@compiled
def shortening(gain: float, linear: float, damped: float, grown: bool) -> float:
    """By what the longest step becomes shorter after one that gained too little."""
    slower = 0.5 if gain >= 0 else 0.5 * (linear + damped) / (linear + damped - 0.5 * gain)
    return 0.1 if grown or not slower >= 0.1 else slower


@compiled
def descend(heights: Numbers, places: Numbers, at: Numbers, tolerance: float, most_steps: int) -> bool:
    """Take `at`, the first guess, to the minimum of the sum of squares; false where there is none."""
    sums = products(heights, places, at)
    curvature, scale = np.empty((COUNT, COUNT)), np.empty(COUNT)
    down, step, trial = np.empty(COUNT), np.empty(COUNT), np.empty(COUNT)
    longest = damping = reach = 0.0
    for steps in range(most_steps):
        if not scaled(sums, steps == 0, scale, down, curvature):
            return False
        norm = math.sqrt(sums[0, 0])
        if dot(down, down) == 0:
            return True
        if steps == 0:
            reach = math.sqrt(dot(scale * at, scale * at))
            longest = FARTHEST * reach if reach > 0 else FARTHEST
        gained = False
        while not gained:
            damping = limited_step(curvature, down, longest, damping, step)
            length = math.sqrt(dot(step, step))
            if not math.isfinite(length):
                return False
            if steps == 0:
                longest = min(longest, length)
            linear = 0.0
            for i in range(COUNT):
                trial[i] = at[i] + step[i] / scale[i]
                linear += step[i] * dot(curvature[i], step)
            linear /= norm * norm
            damped = damping * (length / norm) ** 2
            following = products(heights, places, trial)
            came = math.sqrt(following[0, 0])
            gain = 1 - (came / norm) ** 2 if 0.1 * came < norm else -1.0
            expected = linear + 2 * damped
            ratio = gain / expected if expected > 0 else 0.0
            if ratio <= 0.25:
                slower = shortening(gain, linear, damped, 0.1 * came >= norm)
                longest = slower * min(longest, length / 0.1)
                damping /= slower
            elif damping == 0 or ratio >= 0.75:
                longest = length / 0.5
                damping *= 0.5
            gained = ratio >= LEAST_GAIN
            if gained:
                sums = following
                at[:] = trial
                reach = math.sqrt(dot(scale * at, scale * at))
            if abs(gain) <= tolerance and expected <= tolerance and 0.5 * ratio <= 1:
                return True
            if longest <= tolerance * reach:
                return True
    return False


def minimise(heights: Numbers, places: Numbers, at: Numbers) -> bool:
    """`descend` with the limits that all fits have; MINPACK does what it cannot finish.

    Sums of products have half of the digits of what they are made of, too few for profiles that a Gaussian
    fits only at infinity, such as straight lines.
    """
    found = at.copy()
    if not descend(heights, places, found, TOLERANCE, MOST_STEPS):
        return minpack.minimise(heights, places, at)
    at[:] = found
    return True
