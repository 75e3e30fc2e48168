/** Draws a picture with WebGL2: values as they are in a texture, contrast and colours in the shader. */

import { LOG_RANGE } from "./contrast.js";

/** @typedef {import("./wire.js").Header} Header */
/** @typedef {import("./wire.js").Pixels} Pixels */
/**
 * How values are shown. `marked`: whether saturated (from `mark` on) and bad pixels have their own colours.
 * @typedef {{low: number, high: number, log: boolean, marked: boolean, mark: number, colours: Uint8Array}} Look
 */

const VERTEX = `#version 300 es
uniform vec4 place; // left, top, right, bottom in clip space
out vec2 at;
void main() {
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  at = corner;
  gl_Position = vec4(mix(place.xy, place.zw, corner), 0.0, 1.0);
}`;

/** @param {"usampler2D" | "sampler2D"} kind */
const fragment = (kind) => `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform ${kind} values;
uniform sampler2D colours;
uniform sampler2D bad;
uniform bool anyBad;
uniform float low, high, mark;
uniform bool logarithmic;
in vec2 at;
out vec4 colour;
void main() {
  ivec2 size = textureSize(values, 0);
  ivec2 pixel = min(ivec2(at * vec2(size)), size - 1);
  float value = float(texelFetch(values, pixel, 0).r);
  if (anyBad && texelFetch(bad, pixel, 0).r > 0.5) { colour = vec4(${BAD_GLSL}, 1.0); return; }
  if (value >= mark) { colour = vec4(${MARK_GLSL}, 1.0); return; }
  float share = clamp((value - low) / (high - low), 0.0, 1.0);
  if (logarithmic) share = log(1.0 + share * ${(LOG_RANGE - 1).toFixed(1)}) / log(${LOG_RANGE.toFixed(1)});
  colour = vec4(texelFetch(colours, ivec2(int(share * 255.0 + 0.5), 0), 0).rgb, 1.0);
}`;

/** The colour of saturated pixels: in none of the colour maps, as that of bad ones. */
export const MARK = [255, 0, 170];
/** The colour of bad pixels. */
export const BAD = [0, 190, 255];
const MARK_GLSL = "vec3(1.0, 0.0, 0.667)";
const BAD_GLSL = "vec3(0.0, 0.745, 1.0)";

const FORMATS = /** @type {const} */ ([
  ["R8UI", "RED_INTEGER", "UNSIGNED_BYTE"],
  ["R16UI", "RED_INTEGER", "UNSIGNED_SHORT"],
  ["R32UI", "RED_INTEGER", "UNSIGNED_INT"],
  ["R32F", "RED", "FLOAT"],
]);
const FLOAT = 3;

export class GlPainter {
  /**
   * Raises an Error where there is no WebGL2.
   * @param {HTMLCanvasElement} canvas
   */
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("this browser has no WebGL2");
    this.canvas = canvas;
    this.gl = gl;
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    this.programs = [program(gl, "usampler2D"), program(gl, "sampler2D")];
    this.values = texture(gl, gl.TEXTURE0);
    this.colours = texture(gl, gl.TEXTURE1);
    this.bad = texture(gl, gl.TEXTURE2);
    /** @type {Uint8Array | null} */
    this.table = null;
    /** @type {Header | null} */
    this.header = null;
    /** Size and type of the texture as it is. */
    this.shape = "";
  }

  /** @param {Header} header @param {Pixels} pixels */
  load(header, pixels) {
    const { gl } = this;
    if (Math.max(header.width, header.height) > this.largest) throw new Error(`more than ${this.largest} pixels a side`);
    const [internal, format, type] = FORMATS[header.type];
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.values);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const shape = `${header.width} ${header.height} ${header.type}`;
    if (shape === this.shape) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, header.width, header.height, gl[format], gl[type], pixels);
    } else {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl[internal], header.width, header.height, 0, gl[format], gl[type], pixels);
      this.shape = shape;
    }
    this.header = header;
    if (header.bad.length) this.loadBad(header);
  }

  /** @param {Header} header */
  loadBad(header) {
    const { gl } = this;
    const mask = new Uint8Array(header.width * header.height);
    for (const place of header.bad) mask[place] = 255;
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, this.bad);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, header.width, header.height, 0, gl.RED, gl.UNSIGNED_BYTE, mask);
  }

  /**
   * Draw what is loaded.
   * @param {{x: number, y: number, width: number, height: number}} place in device pixels of the canvas
   * @param {Look} look
   */
  draw(place, look) {
    const { gl, canvas, header } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!header) return;
    if (this.table !== look.colours) {
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, this.colours);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, look.colours);
      this.table = look.colours;
    }
    const { handle, at } = this.programs[header.type === FLOAT ? 1 : 0];
    gl.useProgram(handle);
    const x = (/** @type {number} */ n) => (2 * n) / canvas.width - 1;
    const y = (/** @type {number} */ n) => 1 - (2 * n) / canvas.height;
    gl.uniform4f(at.place, x(place.x), y(place.y), x(place.x + place.width), y(place.y + place.height));
    gl.uniform1i(at.values, 0);
    gl.uniform1i(at.colours, 1);
    gl.uniform1i(at.bad, 2);
    gl.uniform1i(at.anyBad, header.bad.length && look.marked ? 1 : 0);
    gl.uniform1f(at.low, look.low);
    gl.uniform1f(at.high, look.high);
    gl.uniform1f(at.mark, Number.isFinite(look.mark) ? look.mark : 3.4e38);
    gl.uniform1i(at.logarithmic, look.log ? 1 : 0);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }
}

/** @param {WebGL2RenderingContext} gl @param {"usampler2D" | "sampler2D"} kind */
function program(gl, kind) {
  const handle = gl.createProgram();
  for (const [type, source] of /** @type {[number, string][]} */ ([
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, fragment(kind)],
  ])) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("WebGL2 gave no shader");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(handle, shader);
  }
  gl.linkProgram(handle);
  if (!gl.getProgramParameter(handle, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(handle) ?? "shader");
  const names = ["place", "values", "colours", "bad", "anyBad", "low", "high", "mark", "logarithmic"];
  const at = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(handle, name)]));
  return { handle, at };
}

/** @param {WebGL2RenderingContext} gl @param {number} unit */
function texture(gl, unit) {
  const made = gl.createTexture();
  gl.activeTexture(unit);
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.NEAREST],
    [gl.TEXTURE_MAG_FILTER, gl.NEAREST],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
  ]) gl.texParameteri(gl.TEXTURE_2D, name, value);
  return made;
}
