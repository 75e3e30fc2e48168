/** The binary message of a picture; `repstream_http/pictures/wire.py` describes it. Pure. */

const MAGIC = 0x31505352; // "RSP1"

/** @typedef {Uint8Array | Uint16Array | Uint32Array | Float32Array} Pixels */

/** What follows the header. */
export const ENCODING = { raw: 0, blosc: 1, jpeg: 2 };

const TYPES = [Uint8Array, Uint16Array, Uint32Array, Float32Array];

/**
 * A picture without its pixels. `originX`, `originY`: place of the first sample in the full image;
 * `stepX`, `stepY`: pixels of it that a sample stands for; `time`: the source's, `received`: of its
 * arrival, both Unix seconds; `saturation`: the value from which on a pixel is saturated; `bad`: places
 * of samples that stand for bad pixels only.
 * @typedef {{number: number, imageId: bigint, time: number, received: number, fullWidth: number,
 *   fullHeight: number, originX: number, originY: number, stepX: number, stepY: number, width: number,
 *   height: number, saturation: number, bad: Uint32Array, encoding: number, type: number}} Header
 */

/**
 * The header, and the bytes after it.
 * @param {ArrayBuffer} message
 * @returns {{header: Header, payload: Uint8Array<ArrayBuffer>}}
 */
export function parse(message) {
  const view = new DataView(message);
  if (view.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("this is no picture");
  const at = (/** @type {number} */ n) => view.getUint32(48 + 4 * n, true);
  const start = view.getUint16(6, true);
  const saturation = view.getFloat64(40, true);
  const header = {
    encoding: view.getUint8(4),
    type: view.getUint8(5),
    number: Number(view.getBigUint64(8, true)),
    imageId: view.getBigUint64(16, true),
    time: view.getFloat64(24, true),
    received: view.getFloat64(32, true),
    fullHeight: at(0),
    fullWidth: at(1),
    originY: at(2),
    originX: at(3),
    stepY: at(4),
    stepX: at(5),
    height: at(6),
    width: at(7),
    saturation: Number.isNaN(saturation) ? Infinity : saturation,
    bad: new Uint32Array(message.slice(start, start + 4 * at(8))),
  };
  if (!TYPES[header.type]) throw new Error(`pixel type ${header.type} is not known`);
  return { header, payload: new Uint8Array(message, start + 4 * at(8)) };
}

/**
 * Decompressed bytes as pixels of the header's type.
 * @param {Header} header
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Pixels}
 */
export function pixels(header, bytes) {
  const Type = TYPES[header.type];
  const wanted = header.width * header.height * Type.BYTES_PER_ELEMENT;
  if (bytes.byteLength < wanted) throw new Error(`${bytes.byteLength} bytes of a picture that has ${wanted}`);
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Type(aligned.buffer, aligned.byteOffset, header.width * header.height);
}
