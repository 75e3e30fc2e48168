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

Limits = tuple[float, int, float]
"""Tolerance and most steps of `descend`, and how many sigma moments reach. Given, so that compiled code that
was kept has none of another module that has changed since."""

COUNT = 4
"""Parameters: offset, amplitude, mean, sigma."""

WITH_RESIDUALS = COUNT + 1

FARTHEST = 100.0
"""The first step may be as long as so many times the parameters, each in units of its derivative."""

NEAR = 0.1
"""A step is as long as it may be, when it is within this fraction."""

LEAST_GAIN = 1e-4
ROUNDING = 1e-14
"""Relative to a sum of squares of some thousand points."""

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


def in_one_pass(heights: Numbers, places: Numbers, at: Few, work: Numbers) -> Few:
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


def by_columns(heights: Numbers, places: Numbers, at: Few, work: Numbers) -> Few:
    """The same by numpy, as a list; `work` is made by `with_ones`."""
    offset, amplitude, mean, sigma = at
    residuals, _, bell, by_mean, by_sigma = work
    np.subtract(places, mean, out=by_sigma)
    by_sigma *= 1 / sigma if sigma else math.nan
    np.multiply(by_sigma, by_sigma, out=bell)
    bell *= -0.5
    np.exp(bell, out=bell)
    np.multiply(bell, by_sigma, out=by_mean)
    by_mean *= amplitude / sigma if sigma else math.nan
    by_sigma *= by_mean
    np.multiply(bell, amplitude, out=residuals)
    residuals += offset
    residuals -= heights
    return (work @ work.T).ravel().tolist()


def nothing(size: int) -> Numbers:
    """What `in_one_pass` works in."""
    return np.empty((1, 1))


def with_ones(size: int) -> Numbers:
    """What `by_columns` works in: a column for each that it makes the products of."""
    columns = np.empty((WITH_RESIDUALS, size))
    columns[1] = 1.0
    return columns


def as_array(size: int) -> Few:
    """Room for so many numbers."""
    return np.zeros(size)


def as_list(size: int) -> Few:
    """The same, of which Python reads and writes single numbers five times as fast."""
    return [0.0] * size


products = by_columns if njit is None else compiled(in_one_pass)
working_room = with_ones if njit is None else compiled(nothing)
room = as_list if njit is None else compiled(as_array)


@compiled
def dot(one: Few, other: Few) -> float:
    """The sum of products of two vectors of the parameters."""
    return float(one[0] * other[0] + one[1] * other[1] + one[2] * other[2] + one[3] * other[3])


@compiled
def solve(matrix: Few, damping: float, right: Few, x: Few) -> float:
    """Solve (matrix + damping on its diagonal) · x = right into `x`, and return its length.

    Of the matrix, which is symmetric, the upper half is read. NaN where it is not positive definite.
    Written out: Python takes longer over loops and indices than over these few products.
    """
    m01, m02, m03, m12, m13, m23 = matrix[1], matrix[2], matrix[3], matrix[6], matrix[7], matrix[11]
    p0 = matrix[0] + damping
    if not p0 > 0:
        return math.nan
    f01, f02, f03 = m01 / p0, m02 / p0, m03 / p0
    p1 = matrix[5] + damping - f01 * m01
    if not p1 > 0:
        return math.nan
    m12 -= f01 * m02
    m13 -= f01 * m03
    f12, f13 = m12 / p1, m13 / p1
    p2 = matrix[10] + damping - f02 * m02 - f12 * m12
    if not p2 > 0:
        return math.nan
    m23 -= f02 * m03 + f12 * m13
    f23 = m23 / p2
    p3 = matrix[15] + damping - f03 * m03 - f13 * m13 - f23 * m23
    if not p3 > 0:
        return math.nan
    y0 = right[0]
    y1 = right[1] - f01 * y0
    y2 = right[2] - f02 * y0 - f12 * y1
    x3 = (right[3] - f03 * y0 - f13 * y1 - f23 * y2) / p3
    x2 = y2 / p2 - f23 * x3
    x1 = y1 / p1 - f12 * x2 - f13 * x3
    x0 = y0 / p0 - f01 * x1 - f02 * x2 - f03 * x3
    x[0], x[1], x[2], x[3] = x0, x1, x2, x3
    return math.sqrt(x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3)


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
    """Fill in `scale`, slope and the upper half of `curvature` from the sums of products.

    False if they are not numbers.
    """
    squares = sums[6] + sums[12] + sums[18] + sums[24]
    if not math.isfinite(squares):
        return False
    s0, s1, s2, s3 = math.sqrt(sums[6]), math.sqrt(sums[12]), math.sqrt(sums[18]), math.sqrt(sums[24])
    if first:
        s0, s1, s2, s3 = s0 or 1.0, s1 or 1.0, s2 or 1.0, s3 or 1.0
    else:
        s0, s1, s2, s3 = max(s0, scale[0]), max(s1, scale[1]), max(s2, scale[2]), max(s3, scale[3])
    scale[0], scale[1], scale[2], scale[3] = s0, s1, s2, s3
    down[0], down[1], down[2], down[3] = -sums[1] / s0, -sums[2] / s1, -sums[3] / s2, -sums[4] / s3
    curvature[0] = sums[6] / (s0 * s0)
    curvature[1] = sums[7] / (s0 * s1)
    curvature[2] = sums[8] / (s0 * s2)
    curvature[3] = sums[9] / (s0 * s3)
    curvature[5] = sums[12] / (s1 * s1)
    curvature[6] = sums[13] / (s1 * s2)
    curvature[7] = sums[14] / (s1 * s3)
    curvature[10] = sums[18] / (s2 * s2)
    curvature[11] = sums[19] / (s2 * s3)
    curvature[15] = sums[24] / (s3 * s3)
    return math.isfinite(sums[0])


@compiled
def reach_of(at: Few, scale: Few) -> float:
    """The length of the parameters, each in units of its derivative."""
    a, b, c, d = at[0] * scale[0], at[1] * scale[1], at[2] * scale[2], at[3] * scale[3]
    return math.sqrt(a * a + b * b + c * c + d * d)


@compiled
def shortening(gain: float, linear: float, damped: float, grown: bool) -> float:
    """By what the longest step becomes shorter after one that gained too little."""
    slower = 0.5 if gain >= 0 else 0.5 * (linear + damped) / (linear + damped - 0.5 * gain)
    return 0.1 if grown or not slower >= 0.1 else slower


@compiled
def descend(heights: Numbers, places: Numbers, at: Few, tolerance: float, most_steps: int) -> bool:
    """Take `at`, the first guess, to the minimum of the sum of squares; false where there is none."""
    work = working_room(len(heights))
    sums = products(heights, places, at, work)
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
            damped = damping * length * length / square
            # What the curvature takes off along the step, which solves (curvature + damping) · step = down.
            linear = max(dot(down, step) / square - damped, 0.0)
            following = products(heights, places, trial, work)
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
            # Below the rounding of the sums the slope still says the way, and the gain says nothing.
            gained = ratio >= LEAST_GAIN or (abs(gain) <= ROUNDING and expected <= tolerance)
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


@compiled
def curve_of(profile: Numbers, axis: Numbers, limits: Limits, work: Numbers, at: Numbers) -> bool:
    """What `gaussian.fitted` does with a profile, in one piece: the curve, in `at`.

    False for one that `descend` does not finish, and for one with what is no number. The rows of `work`
    become what is fitted: the profile, rounded to float32, and its axis.
    """
    heights, places = work[0], work[1]
    size, top, area, total = len(profile), 0, 0.0, 0.0
    for i in range(size):
        heights[i], places[i] = np.float32(profile[i]), axis[i]
        total += heights[i]
        if heights[i] > heights[top]:
            top = i
    if not math.isfinite(total):
        return False
    offset = heights.min()
    amplitude = heights[top] - offset
    sigma = 1.0
    if amplitude > 0:
        for i in range(1, size):
            area += (heights[i] + heights[i - 1] - 2 * offset) * (places[i] - places[i - 1])
        sigma = area / (2 * amplitude * math.sqrt(2 * math.pi))
    if sigma == 0 or not math.isfinite(sigma):
        return False
    at[0], at[1], at[2], at[3] = offset, amplitude, places[top], sigma
    if not descend(heights, places, at, limits[0], limits[1]):
        return False
    at[3] = abs(at[3])
    return True


@compiled
def whole_fit(profile: Numbers, axis: Numbers, limits: Limits, found: Numbers, values: Numbers) -> bool:
    """What `gaussian.fit` does, in one piece: the curve, centre of mass and rms in `found`.

    `values` becomes the curve along the axis. False as in `curve_of`.
    """
    size = len(profile)
    work = np.empty((2, size))
    if not curve_of(profile, axis, limits, work, found):
        return False
    places = work[1]
    offset, amplitude, mean, sigma = found[0], found[1], found[2], found[3]
    exponent, reach = -0.5 / (sigma * sigma), limits[2] * sigma
    total = first = second = 0.0
    for i in range(size):
        distance = places[i] - mean
        values[i] = offset + amplitude * math.exp(distance * distance * exponent)
        total += profile[i] - offset
        if abs(distance) <= reach:
            first += places[i] * (profile[i] - offset)
    unit = 1 / total if total != 0 else 1.0
    centre = first * unit
    for i in range(size):
        if abs(places[i] - mean) <= reach:
            second += (places[i] - centre) * (places[i] - centre) * (profile[i] - offset)
    found[4], found[5] = centre, math.sqrt(abs(second * unit))
    return True


@compiled
def each_curve(profiles: Numbers, axis: Numbers, limits: Limits, found: Numbers) -> None:
    """`curve_of` of each row: 1 where it was found, the curve, and the sum of the row."""
    number, size = profiles.shape
    work = np.empty((2, size))
    for k in range(number):
        found[k, 0] = 1.0 if curve_of(profiles[k], axis, limits, work, found[k, 1:]) else 0.0
        total = 0.0
        for i in range(size):
            total += profiles[k, i]
        found[k, 5] = total
