/** Numbers, sizes and times as people read them. Pure. */

export const NONE = "–";

/**
 * A whole number with thin groups of three.
 * @param {number | null | undefined} value
 */
export function count(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/**
 * A measured number with about `digits` significant digits, never in exponents between 1e-4 and 1e7.
 * @param {number | null | undefined} value
 * @param {number} [digits]
 */
export function measured(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return count(value);
  if (size >= 1e7 || (size < 1e-4 && size > 0)) return value.toExponential(digits - 1);
  if (size >= 10 ** (digits - 1)) return count(value);
  return value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size || 1))));
}

const COMPACT = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** A number of an axis: 7.4M. @param {number} value */
export function compact(value) {
  return COMPACT.format(value);
}

/** @param {number | null | undefined} value frames a second */
export function rate(value) {
  if (value === null || value === undefined) return NONE;
  return value >= 100 ? count(value) : value.toFixed(1);
}

/**
 * Bytes with a decimal unit.
 * @param {number | null | undefined} value
 */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)}\u00a0${units[unit]}`;
}

/**
 * A duration: 4.2 s, 3:07 min, 2:05 h.
 * @param {number | null | undefined} seconds
 */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)}\u00a0s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}\u00a0s`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}\u00a0min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}:${two(Math.floor((whole % 3600) / 60))}\u00a0h`;
  return `${Math.floor(whole / 86400)}\u00a0d ${Math.floor((whole % 86400) / 3600)}\u00a0h`;
}

/**
 * The time of day; with the date where that is not today's.
 * @param {number | null | undefined} seconds Unix time
 * @param {Date} [now]
 */
export function clock(seconds, now = new Date()) {
  if (!seconds) return NONE;
  const date = new Date(seconds * 1000);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  if (date.toDateString() === now.toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/**
 * A value of the catalogue with its unit.
 * @param {unknown} value
 * @param {{kind: string, unit: string, format: string}} facts
 */
export function valueText(value, facts) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return value === "" ? NONE : String(value);
  if (facts.unit === "B") return bytes(value);
  if (facts.format === "time") return clock(value);
  const text = facts.kind === "int" ? count(value) : measured(value, 4);
  return facts.unit ? `${text}\u00a0${facts.unit}` : text;
}

/**
 * Words of a state constant: "ACQUIRING_IMAGES" as "Acquiring images".
 * @param {unknown} state
 */
export function words(state) {
  const text = String(state ?? "UNKNOWN").replaceAll("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * The last part of a path.
 * @param {string} path
 */
export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}
