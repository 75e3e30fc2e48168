/**
 * Decompresses Blosc 1 buffers of LZ4 with bit shuffle, as the server makes them. Pure.
 *
 * Sources: c-blosc README_CHUNK_FORMAT.rst and README_HEADER.rst, LZ4 lz4_Block_format.md. WebAssembly
 * builds of Blosc need `unsafe-eval` in the content security policy; this needs nothing.
 */

const HEADER = 16;
const MEMCPYED = 2;
const BIT_SHUFFLE = 4;
const NOT_SPLIT = 16;
const LZ4 = 1;
const LONG = 32; // bytes from which the engine's own copying is faster than a loop
const LEAST_SPLIT = 128; // elements a block from which its bytes are compressed apart
const MOST_SPLIT = 16; // bytes an element up to which they are

/** Scratch for 32 elements. */
const words = new Uint32Array(32);

/**
 * The decompressed bytes. Throws an Error for what is no such buffer or is damaged.
 * @param {Uint8Array} packed
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function decompress(packed) {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  if (packed.length < HEADER) throw new Error("a Blosc buffer has a header of 16 bytes");
  const flags = packed[2];
  const size = packed[3];
  const length = view.getUint32(4, true);
  const blockSize = view.getUint32(8, true);
  const found = new Uint8Array(length);
  if (flags & MEMCPYED) {
    found.set(packed.subarray(HEADER, HEADER + length));
    return found;
  }
  if (flags >> 5 !== LZ4) throw new Error(`Blosc codec ${flags >> 5} is not LZ4`);
  const shuffled = (flags & BIT_SHUFFLE) !== 0;
  const plain = shuffled ? new Uint8Array(blockSize) : found;
  for (let block = 0, at = 0; at < length; block += 1, at += blockSize) {
    const bytes = Math.min(blockSize, length - at);
    const whole = bytes === blockSize;
    const split = whole && !(flags & NOT_SPLIT) && size <= MOST_SPLIT && blockSize / size >= LEAST_SPLIT;
    const parts = split ? size : 1;
    let from = view.getUint32(HEADER + 4 * block, true);
    for (let part = 0; part < parts; part += 1) {
      const target = (shuffled ? 0 : at) + (part * bytes) / parts;
      const packedBytes = view.getUint32(from, true);
      from += 4;
      if (packedBytes === bytes / parts) plain.set(packed.subarray(from, from + packedBytes), target);
      else expand(packed, from, from + packedBytes, plain, target, target + bytes / parts);
      from += packedBytes;
    }
    if (shuffled) unshuffle(plain, bytes, size, found, at);
  }
  return found;
}

/** The place that is read next, moved by `lengthAt`. */
let cursor = 0;

/** A length that may go on in further bytes. @param {Uint8Array} source @param {number} nibble @param {number} from */
function lengthAt(source, nibble, from) {
  cursor = from;
  if (nibble < 15) return nibble;
  let more;
  do nibble += more = source[cursor++];
  while (more === 255);
  return nibble;
}

/**
 * One LZ4 block.
 * @param {Uint8Array} source
 * @param {number} from
 * @param {number} end
 * @param {Uint8Array} target
 * @param {number} to
 * @param {number} limit of what may be written
 */
export function expand(source, from, end, target, to, limit) {
  while (from < end) {
    const token = source[from];
    const literals = lengthAt(source, token >> 4, from + 1);
    from = cursor;
    if (!(to + literals <= limit && from + literals <= end)) throw new Error("damaged LZ4 block");
    if (literals > LONG) target.set(source.subarray(from, from + literals), to);
    else for (let n = 0; n < literals; n += 1) target[to + n] = source[from + n];
    to += literals;
    from += literals;
    if (from >= end) break;
    const distance = source[from] | (source[from + 1] << 8);
    const match = lengthAt(source, token & 15, from + 2) + 4;
    from = cursor;
    if (!(to + match <= limit && distance && distance <= to)) throw new Error("damaged LZ4 block");
    repeat(target, to, distance, match);
    to += match;
  }
  if (to !== limit) throw new Error("an LZ4 block ends early");
}

/** Copy what was written `distance` before, which may overlap with where it goes. @param {Uint8Array} target @param {number} to @param {number} distance @param {number} length */
function repeat(target, to, distance, length) {
  if (distance === 1) target.fill(target[to - 1], to, to + length);
  else if (distance >= length && length > LONG) target.copyWithin(to, to - distance, to - distance + length);
  else for (let n = 0; n < length; n += 1) target[to + n] = target[to + n - distance];
}

/**
 * Undo the bit shuffle of a block: plane p holds bit p of every element. 32 elements are one word of each
 * plane; exchanging ever smaller squares of bits between words turns planes into elements.
 * @param {Uint8Array} planes
 * @param {number} bytes of the block
 * @param {number} size of an element in bytes: 1, 2 or 4
 * @param {Uint8Array<ArrayBuffer>} target
 * @param {number} at where the block begins
 */
export function unshuffle(planes, bytes, size, target, at) {
  if (size !== 1 && size !== 2 && size !== 4) throw new Error(`elements of ${size} bytes are not known`);
  const elements = bytes / size;
  if (elements % 8) return target.set(planes.subarray(0, bytes), at); // such a block is not shuffled
  const bits = 8 * size;
  const stride = elements / 8;
  const Type = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[size];
  const direct = (target.byteOffset + at) % size === 0;
  const out = direct ? new Type(target.buffer, target.byteOffset + at, elements) : new Type(elements);
  const load = stride % 4 === 0 && planes.byteOffset % 4 === 0 ? alignedLoader(planes, bits, stride) : byteLoader(planes, bits, stride);
  const mask = bits - 1;
  for (let group = 0, first = 0; group < stride; group += 4, first += 32) {
    load(group);
    transpose(bits);
    const number = Math.min(32, elements - first);
    for (let n = 0; n < number; n += 1) out[first + n] = words[n & mask] >>> (n & ~mask);
  }
  if (!direct) target.set(new Uint8Array(out.buffer), at);
}

/** Loads 32 elements of all planes, whose words lie on whole addresses. @param {Uint8Array} planes @param {number} bits @param {number} stride */
function alignedLoader(planes, bits, stride) {
  const source = new Uint32Array(planes.buffer, planes.byteOffset, (stride / 4) * bits);
  const step = stride / 4;
  return (/** @type {number} */ group) => {
    for (let p = 0, place = group >> 2; p < bits; p += 1, place += step) words[p] = source[place];
  };
}

/** The same for any place. @param {Uint8Array} planes @param {number} bits @param {number} stride */
function byteLoader(planes, bits, stride) {
  return (/** @type {number} */ group) => {
    for (let p = 0, place = group; p < bits; p += 1, place += stride)
      words[p] = planes[place] | (planes[place + 1] << 8) | (planes[place + 2] << 16) | (planes[place + 3] << 24);
  };
}

/** @type {Record<number, number>} the lower half of each square, by its side */
const MASKS = { 1: 0x55555555, 2: 0x33333333, 4: 0x0f0f0f0f, 8: 0x00ff00ff, 16: 0x0000ffff };

/** Exchange bits so that word w holds the elements w, w + bits, … @param {number} bits */
function transpose(bits) {
  for (let step = bits >> 1; step; step >>= 1) exchange(bits, step, MASKS[step]);
}

/** @param {number} bits @param {number} step @param {number} mask */
function exchange(bits, step, mask) {
  for (let low = 0; low < bits; low = (low + step + 1) & ~step) {
    const high = low + step;
    const swap = ((words[low] >>> step) ^ words[high]) & mask;
    words[high] ^= swap;
    words[low] ^= swap << step;
  }
}
