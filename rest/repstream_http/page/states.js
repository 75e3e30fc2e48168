/** The colour and word of a state. Pure. */

/**
 * @typedef {"good" | "ready" | "off" | "warning" | "bad" | "unknown"} Tone
 */

/** @type {Record<string, Tone>} */
const TONES = {
  RUNNING: "good",
  WRITING: "good",
  ACQUIRING_IMAGES: "good",
  INITIALIZED: "ready",
  READY: "ready",
  WAITING_IMAGES: "ready",
  FLUSHING_IMAGES: "ready",
  FINISHED: "ready",
  STOPPED: "off",
  NONE: "off",
  ERROR: "bad",
  FAILED: "bad",
};

/** @type {Record<string, Tone>} */
const RESULTS = { completed: "good", interrupted: "warning", aborted: "off", failed: "bad" };

/**
 * @param {unknown} state
 * @param {boolean} [losing]
 * @returns {Tone}
 */
export function tone(state, losing = false) {
  if (losing && state === "RUNNING") return "warning";
  return TONES[String(state)] ?? "unknown";
}

/** @param {unknown} result @returns {Tone} */
export function resultTone(result) {
  return RESULTS[String(result)] ?? "unknown";
}
