/** Receives and decompresses pictures beside the page, so that drawing and clicks never wait for it. */

import { decompress } from "./blosc.js";
import { ENCODING, parse, pixels } from "./wire.js";

const AGAIN = 1000;
const LONGEST = 8000;

/** @type {WebSocket | null} */
let socket = null;
/** @type {{view: unknown, encoding: string, look: unknown}} */
let wish = { view: { region: null, size: null }, encoding: "blosc", look: {} };
let pause = AGAIN;

/** @param {string} url */
function open(url) {
  const opened = new WebSocket(url);
  socket = opened;
  opened.binaryType = "arraybuffer";
  opened.onopen = () => {
    pause = AGAIN;
    opened.send(JSON.stringify(wish));
    postMessage({ type: "open" });
  };
  opened.onmessage = (event) => show(event.data).catch((error) => postMessage({ type: "fault", reason: String(error) }));
  opened.onclose = (event) => {
    if (socket !== opened) return;
    postMessage({ type: "closed", code: event.code, reason: event.reason });
    setTimeout(() => socket === opened && open(url), pause);
    pause = Math.min(LONGEST, pause * 2);
  };
}

/** @param {ArrayBuffer} message */
async function show(message) {
  const { header, payload } = parse(message);
  const size = message.byteLength;
  if (header.encoding === ENCODING.jpeg) {
    const bitmap = await createImageBitmap(new Blob([payload], { type: "image/jpeg" }));
    postMessage({ type: "bitmap", header, bitmap, size }, { transfer: [bitmap] });
    return;
  }
  const values = pixels(header, header.encoding === ENCODING.blosc ? decompress(payload) : payload);
  postMessage({ type: "picture", header, pixels: values, size }, { transfer: [values.buffer] });
}

/** @param {unknown} message */
function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

onmessage = (event) => {
  const { type, ...rest } = event.data;
  if (type === "open") open(rest.url);
  else if (type === "ack") send({ ack: rest.number });
  else if (type === "wish") {
    wish = { ...wish, ...rest };
    send(rest);
  } else if (type === "decode") {
    show(rest.message).catch((error) => postMessage({ type: "fault", reason: String(error) }));
  }
};
