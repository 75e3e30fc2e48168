/** Histogram, percentiles, and how a value becomes a share of brightness. Pure. */

/** @typedef {import("./wire.js").Pixels} Pixels */
/** @typedef {{counts: Uint32Array, low: number, high: number}} Histogram bins of equal width from low to high */

const SAMPLES = 30_000;
export const BINS = 256;
/** A logarithmic scale shows so large a ratio between brightest and darkest, as the server does. */
export const LOG_RANGE = 1000;

/**
 * A sorted sample of the values below `ceiling`; saturated and bad pixels would stretch everything.
 * @param {Pixels} pixels
 * @param {number} ceiling
 * @param {ArrayLike<number>} [bad] places of bad pixels, in order
 * @returns {Float64Array<ArrayBuffer>}
 */
export function sample(pixels, ceiling, bad = []) {
  const stride = Math.max(1, Math.floor(pixels.length / SAMPLES)) | 1;
  const found = new Float64Array(Math.ceil(pixels.length / stride));
  let n = 0;
  let next = 0;
  for (let i = 0; i < pixels.length; i += stride) {
    while (bad[next] < i) next += 1;
    if (bad[next] === i) continue;
    const value = pixels[i];
    if (value < ceiling && value > -Infinity) found[n++] = value;
  }
  return found.subarray(0, n).sort();
}

/**
 * The value below which `percent` of a sorted sample lie.
 * @param {Float64Array} sorted
 * @param {number} percent
 */
export function percentile(sorted, percent) {
  if (!sorted.length) return 0;
  const place = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(place);
  const above = Math.min(sorted.length - 1, below + 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/**
 * The levels between which all but the given share of the values lie.
 * @param {Float64Array} sorted
 * @param {number} percent such as 99.8
 * @returns {[number, number]}
 */
export function autoLevels(sorted, percent) {
  const low = percentile(sorted, 100 - percent);
  const high = percentile(sorted, percent);
  return [low, high > low ? high : low + 1];
}

/**
 * @param {Float64Array} sorted
 * @param {number} low
 * @param {number} high
 * @returns {Histogram}
 */
export function histogram(sorted, low, high) {
  const counts = new Uint32Array(BINS);
  const scale = BINS / (high - low || 1);
  for (const value of sorted) {
    if (value < low || value > high) continue;
    counts[Math.min(BINS - 1, Math.floor((value - low) * scale))] += 1;
  }
  return { counts, low, high };
}

/**
 * How bright a value is shown, 0 … 1.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 */
export function brightness(value, low, high, log) {
  const share = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  return log ? Math.log1p(share * (LOG_RANGE - 1)) / Math.log(LOG_RANGE) : share;
}

/**
 * Levels that a person drags: the lower stays below the upper.
 * @param {[number, number]} levels
 * @param {0 | 1} which
 * @param {number} value
 * @returns {[number, number]}
 */
export function withLevel(levels, which, value) {
  const least = Math.max(1e-9, Math.abs(levels[1] - levels[0]) * 1e-3);
  return which === 0 ? [Math.min(value, levels[1] - least), levels[1]] : [levels[0], Math.max(value, levels[0] + least)];
}
