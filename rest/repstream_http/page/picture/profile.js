/** Profiles along a row and a column, and what lies at a point. Pure. */

/** @typedef {import("./wire.js").Header} Header */
/** @typedef {import("./wire.js").Pixels} Pixels */
/** @typedef {{header: Header, pixels: Pixels}} Frame */

/**
 * The sample at a point of the full image, null outside.
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 */
export function sampleAt({ header, pixels }, x, y) {
  const column = Math.floor((x - header.originX) / header.stepX);
  const row = Math.floor((y - header.originY) / header.stepY);
  const inside = column >= 0 && row >= 0 && column < header.width && row < header.height;
  if (!inside || x >= header.fullWidth || y >= header.fullHeight) return null;
  const place = row * header.width + column;
  return { column, row, value: pixels[place], bad: header.bad.includes(place) };
}

/**
 * The values of the row through a point.
 * @param {Frame} frame
 * @param {number} row
 */
export function rowProfile({ header, pixels }, row) {
  return pixels.subarray(row * header.width, (row + 1) * header.width);
}

/**
 * The values of the column through a point.
 * @param {Frame} frame
 * @param {number} column
 */
export function columnProfile({ header, pixels }, column) {
  const found = new Float64Array(header.height);
  for (let row = 0; row < header.height; row += 1) found[row] = pixels[row * header.width + column];
  return found;
}

/**
 * Least and greatest value below the ceiling, for the scale of a plot.
 * @param {ArrayLike<number>} values
 * @param {number} ceiling
 * @returns {[number, number]}
 */
export function range(values, ceiling) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    if (value >= ceiling) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high > low ? high : low + 1] : [0, 1];
}
