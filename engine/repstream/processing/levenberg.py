"""Levenberg-Marquardt for a Gaussian on an offset, as MINPACK does it (Moré 1978).

MINPACK decomposes the matrix of derivatives, with a row for each point. All it needs of it are the sums of
products of its columns, four by four here: they come with the residuals in one pass, and what is left to do
is small. Steps, limits and endings are MINPACK's, so that the same way leads to the same minimum.

Where numba is installed (extra ``numba``) all of it is compiled. Without it numpy makes the sums, and the
rest is Python with plain lists, which is faster for so few numbers. Matrices are flat, row by row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from repstream.processing import minpack
from repstream.processing.minpack import MOST_STEPS, TOLERANCE

try:
    from numba import njit
except ImportError:
    njit = None  # type: ignore[assignment]

Numbers = NDArray[np.float64]
Few = Any
"""A flat array, or a list, of as many numbers as there are parameters, or their square."""

COUNT = 4
"""Parameters: offset, amplitude, mean, sigma."""

WITH_RESIDUALS = COUNT + 1

FARTHEST = 100.0
"""The first step may be as long as so many times the parameters, each in units of its derivative."""

NEAR = 0.1
"""A step is as long as it may be, when it is within this fraction."""

LEAST_GAIN = 1e-4
TINY = 1e-300

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function in machine code, which is kept beside its module; without numba the function itself.

    Several terms of a sum may be added at once, in another order than they are written. What is kept is
    made anew when this module changes, not when another one does: nothing of another is used in it.
    """
    if njit is None:
        return function
    made: Any = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})(function)
    return cast(F, made)


def in_one_pass(heights: Numbers, places: Numbers, at: Few) -> Few:
    """Sums of products of the residuals (first) and their derivatives by each parameter, 5 × 5."""
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
    one = float(len(heights))
    sums = np.empty(WITH_RESIDUALS * WITH_RESIDUALS)
    sums[0], sums[1], sums[2], sums[3], sums[4] = rr, r1, rb, rm, rs
    sums[5], sums[6], sums[7], sums[8], sums[9] = r1, one, b1, m1, s1
    sums[10], sums[11], sums[12], sums[13], sums[14] = rb, b1, bb, bm, bs
    sums[15], sums[16], sums[17], sums[18], sums[19] = rm, m1, bm, mm, ms
    sums[20], sums[21], sums[22], sums[23], sums[24] = rs, s1, bs, ms, ss
    return sums


def by_columns(heights: Numbers, places: Numbers, at: Few) -> Few:
    """The same by numpy, as a list."""
    offset, amplitude, mean, sigma = at
    columns = np.empty((WITH_RESIDUALS, len(heights)))
    residuals, ones, bell, by_mean, by_sigma = columns
    np.subtract(places, mean, out=by_sigma)
    by_sigma /= sigma or math.nan
    np.multiply(by_sigma, by_sigma, out=bell)
    bell *= -0.5
    np.exp(bell, out=bell)
    np.multiply(bell, amplitude, out=residuals)
    np.multiply(residuals, by_sigma, out=by_mean)
    by_mean /= sigma or math.nan
    by_sigma *= by_mean
    residuals += offset
    residuals -= heights
    ones.fill(1.0)
    return (columns @ columns.T).ravel().tolist()


def as_array(size: int) -> Few:
    """Room for so many numbers."""
    return np.zeros(size)


def as_list(size: int) -> Few:
    """The same, of which Python reads and writes single numbers five times as fast."""
    return [0.0] * size


products = by_columns if njit is None else compiled(in_one_pass)
room = as_list if njit is None else compiled(as_array)


@compiled
def dot(one: Few, other: Few) -> float:
    """The sum of products of two vectors of the parameters."""
    return float(one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3])


@compiled
def solve(matrix: Few, damping: float, right: Few, x: Few) -> float:
    """Solve (matrix + damping on its diagonal) · x = right into `x`, and return its length.

    NaN where the matrix is not positive definite.
    """
    rows = room(COUNT * COUNT)
    for i in range(COUNT * COUNT):
        rows[i] = matrix[i]
    for i in range(COUNT):
        x[i] = right[i]
        rows[i * COUNT + i] += damping
    for i in range(COUNT):
        pivot = rows[i * COUNT + i]
        if not pivot > 0:
            return math.nan
        for j in range(i + 1, COUNT):
            factor = rows[j * COUNT + i] / pivot
            for k in range(i, COUNT):
                rows[j * COUNT + k] -= factor * rows[i * COUNT + k]
            x[j] -= factor * x[i]
    for back in range(COUNT):
        i = COUNT - 1 - back
        for k in range(i + 1, COUNT):
            x[i] -= rows[i * COUNT + k] * x[k]
        x[i] /= rows[i * COUNT + i]
    return math.sqrt(dot(x, x))


@compiled
def limited_step(curvature: Few, down: Few, longest: float, before: float, step: Few) -> float:
    """Put into `step` the one that lowers the sum of squares most, no longer than `longest`; its damping.

    `down` is against the slope, `before` the damping of the last step, where the search begins.
    """
    length = solve(curvature, 0.0, down, step)
    if length <= (1 + NEAR) * longest:
        return 0.0
    along = room(COUNT)
    least, most = 0.0, math.sqrt(dot(down, down)) / longest
    if math.isfinite(length):
        solve(curvature, 0.0, step, along)
        least = (length - longest) / longest * length * length / dot(step, along) * longest / length
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
def scaled(sums: Few, first: bool, scale: Few, down: Few, curvature: Few) -> bool:
    """Fill in `scale`, slope and `curvature` from the sums of products; false if they are not numbers."""
    for i in range(COUNT):
        square = sums[(i + 1) * WITH_RESIDUALS + i + 1]
        if not math.isfinite(square):
            return False
        length = math.sqrt(square)
        if first:
            scale[i] = length if length > 0 else 1.0
        scale[i] = max(scale[i], length)
    for i in range(COUNT):
        down[i] = -sums[i + 1] / scale[i]
        for k in range(COUNT):
            curvature[i * COUNT + k] = sums[(i + 1) * WITH_RESIDUALS + k + 1] / (scale[i] * scale[k])
    return math.isfinite(sums[0])


@compiled
def reach_of(at: Few, scale: Few) -> float:
    """The length of the parameters, each in units of its derivative."""
    square = 0.0
    for i in range(COUNT):
        square += scale[i] * at[i] * scale[i] * at[i]
    return math.sqrt(square)


@compiled
def foreseen(curvature: Few, step: Few) -> float:
    """What the curvature takes off the sum of squares along a step."""
    taken = 0.0
    for i in range(COUNT):
        for k in range(COUNT):
            taken += step[i] * curvature[i * COUNT + k] * step[k]
    return taken


@compiled
def shortening(gain: float, linear: float, damped: float, grown: bool) -> float:
    """By what the longest step becomes shorter after one that gained too little."""
    slower = 0.5 if gain >= 0 else 0.5 * (linear + damped) / (linear + damped - 0.5 * gain)
    return 0.1 if grown or not slower >= 0.1 else slower


@compiled
def descend(heights: Numbers, places: Numbers, at: Few, tolerance: float, most_steps: int) -> bool:
    """Take `at`, the first guess, to the minimum of the sum of squares; false where there is none."""
    sums = products(heights, places, at)
    curvature, scale = room(COUNT * COUNT), room(COUNT)
    down, step, trial = room(COUNT), room(COUNT), room(COUNT)
    longest = damping = reach = 0.0
    for steps in range(most_steps):
        if not scaled(sums, steps == 0, scale, down, curvature):
            return False
        square = sums[0]
        if dot(down, down) == 0 or square == 0:
            return True
        if steps == 0:
            reach = reach_of(at, scale)
            longest = FARTHEST * reach if reach > 0 else FARTHEST
        gained = False
        while not gained:
            damping = limited_step(curvature, down, longest, damping, step)
            length = math.sqrt(dot(step, step))
            if not math.isfinite(length):
                return False
            if steps == 0:
                longest = min(longest, length)
            for i in range(COUNT):
                trial[i] = at[i] + step[i] / scale[i]
            linear = foreseen(curvature, step) / square
            damped = damping * length * length / square
            following = products(heights, places, trial)
            gain = 1 - following[0] / square if 0.01 * following[0] < square else -1.0
            expected = linear + 2 * damped
            ratio = gain / expected if expected > 0 else 0.0
            if ratio <= 0.25:
                slower = shortening(gain, linear, damped, not 0.01 * following[0] < square)
                longest = slower * min(longest, length / 0.1)
                damping /= slower
            elif damping == 0 or ratio >= 0.75:
                longest = length / 0.5
                damping *= 0.5
            gained = ratio >= LEAST_GAIN
            if gained:
                sums = following
                for i in range(COUNT):
                    at[i] = trial[i]
                reach = reach_of(at, scale)
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
    found = at.copy() if njit is not None else at.tolist()
    with np.errstate(all="ignore"):
        try:
            finished = descend(heights, places, found, TOLERANCE, MOST_STEPS)
        except ArithmeticError:  # where compiled code goes on with infinities
            finished = False
    if not finished:
        return minpack.minimise(heights, places, at)
    at[:] = found
    return True
