/** Live pictures of a slot, received by a worker; one on its way, the next is asked for when it came. */

import { address } from "../api.js";

/**
 * @typedef {{onPicture: (header: import("./wire.js").Header, pixels: import("./wire.js").Pixels, size: number) => void,
 *   onBitmap: (header: import("./wire.js").Header, bitmap: ImageBitmap, size: number) => void,
 *   onState: (open: boolean, reason: string) => void}} Events
 */

export class LiveSource {
  /** @param {string} path of the slot below /api/v1/ @param {Events} events */
  constructor(path, events) {
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = (event) => this.take(event.data, events);
    this.worker.postMessage({ type: "open", url: address(`${path}/live`, "ws") });
    this.paused = false;
    /** The picture that came last. */
    this.shown = 0;
    this.seen = () => document.hidden || this.paused || this.acknowledge();
    document.addEventListener("visibilitychange", this.seen);
  }

  /** @param {any} message @param {Events} events */
  take(message, events) {
    if (message.type === "picture") events.onPicture(message.header, message.pixels, message.size);
    else if (message.type === "bitmap") events.onBitmap(message.header, message.bitmap, message.size);
    else if (message.type === "fault") events.onState(true, message.reason);
    else events.onState(message.type === "open", message.reason ?? "");
    if (!message.header) return;
    this.shown = message.header.number;
    // The next one is unpacked while this one is drawn; a page that nobody sees asks for none.
    if (!this.paused && !document.hidden) this.acknowledge();
  }

  acknowledge() {
    this.worker.postMessage({ type: "ack", number: this.shown });
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    if (!paused) this.acknowledge();
  }

  /** What is wanted: view, encoding, look. @param {Record<string, unknown>} wish */
  wish(wish) {
    this.worker.postMessage({ type: "wish", ...wish });
  }

  close() {
    document.removeEventListener("visibilitychange", this.seen);
    this.worker.terminate();
  }
}
