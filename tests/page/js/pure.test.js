/** The page's pure modules, without a browser. */

import assert from "node:assert/strict";
import test from "node:test";

const PAGE = "../../../rest/repstream_http/page/";
globalThis.localStorage ??= { getItem: () => null, setItem: () => {} };
const { Camera, viewFor } = await import(`${PAGE}picture/camera.js`);
const { columnProfile, range, rowProfile, sampleAt } = await import(`${PAGE}picture/profile.js`);
const { parse, pixels } = await import(`${PAGE}picture/wire.js`);
const { bytes, clock, count, duration, measured, valueText } = await import(`${PAGE}format.js`);
const { whyNot } = await import(`${PAGE}commands.js`);
const { limits, typed } = await import(`${PAGE}field.js`);
const { lossesOf } = await import(`${PAGE}losses.js`);
const { filtered } = await import(`${PAGE}log.js`);
const { progressOf } = await import(`${PAGE}writer.js`);
const { policyText } = await import(`${PAGE}streams.js`);
const { newRegion, regionsOf } = await import(`${PAGE}picture/regions.js`);
const { encodeHeader } = await import(`${PAGE}api.js`);

/** @param {Record<string, unknown>} values a store that knows these */
function store(values, groups = {}) {
  return {
    get: (section, field) => values[`${section}.${field}`] ?? null,
    number: (section, field) => (typeof values[`${section}.${field}`] === "number" ? values[`${section}.${field}`] : null),
    text: (section, field) => String(values[`${section}.${field}`] ?? ""),
    sections: (group) => groups[group] ?? [],
  };
}

function camera() {
  const made = new Camera();
  made.resize(400, 300);
  made.setImage(2000, 1000);
  return made;
}

test("an image is shown whole first, in the middle", () => {
  const c = camera();
  assert.equal(c.scale, 0.2);
  assert.deepEqual(c.toScreen(0, 0), { x: 0, y: 50 });
  assert.deepEqual(c.visible(), { x: 0, y: 0, width: 2000, height: 1000 });
});

test("zooming keeps the point under the pointer, and stops where all is seen", () => {
  const c = camera();
  c.zoom(8, 100, 150);
  const at = c.toImage(100, 150);
  c.zoom(3, 100, 150);
  const after = c.toImage(100, 150);
  assert.ok(Math.abs(after.x - at.x) < 1e-9 && Math.abs(after.y - at.y) < 1e-9);
  c.zoom(1e-9);
  assert.ok(c.fitted);
  c.zoom(1e9);
  assert.equal(c.scale, 64);
});

test("screen and image coordinates are inverse, wherever it is panned", () => {
  const c = camera();
  c.zoom(5, 10, 20);
  for (const [dx, dy] of [[30, -40], [-5000, 5000], [1e6, 1e6]]) {
    c.pan(dx, dy);
    const at = c.toImage(123, 45);
    const back = c.toScreen(at.x, at.y);
    assert.ok(Math.abs(back.x - 123) < 1e-6 && Math.abs(back.y - 45) < 1e-6);
    const part = c.visible();
    assert.ok(part.x >= 0 && part.y >= 0 && part.x + part.width <= 2000 && part.y + part.height <= 1000);
  }
});

test("a server is asked for the whole image, or for what is seen with a margin", () => {
  const c = camera();
  assert.equal(viewFor(c, 1).region, null);
  c.zoom(10);
  const part = c.visible();
  const { region, size } = viewFor(c, 1);
  assert.ok(region[0] <= part.x && region[0] + region[2] >= part.x + part.width);
  assert.ok(region[1] <= part.y && region[1] + region[3] >= part.y + part.height);
  assert.ok(region[2] / size[0] <= 1, "the part that is seen comes in full resolution");
  c.pan(1, 1);
  assert.deepEqual(viewFor(c, 1).region, region, "a small move asks for nothing new");
});

const header = { originX: 10, originY: 20, stepX: 2, stepY: 2, width: 3, height: 2, fullWidth: 16, fullHeight: 24, bad: new Uint32Array([4]) };
const frame = { header, pixels: Uint16Array.from([1, 2, 3, 4, 5, 6]) };

test("a point of the full image finds its sample", () => {
  assert.deepEqual(sampleAt(frame, 10, 20), { column: 0, row: 0, value: 1, bad: false });
  assert.deepEqual(sampleAt(frame, 13.9, 22), { column: 1, row: 1, value: 5, bad: true });
  assert.equal(sampleAt(frame, 9.9, 20), null);
  assert.equal(sampleAt(frame, 16, 20), null);
});

test("profiles are a row and a column", () => {
  assert.deepEqual([...rowProfile(frame, 1)], [4, 5, 6]);
  assert.deepEqual([...columnProfile(frame, 2)], [3, 6]);
  assert.deepEqual(range([3, 65535, 7], 65535), [3, 7]);
});

test("a message is read as the server writes it", () => {
  const message = new ArrayBuffer(84 + 4 + 4);
  const view = new DataView(message);
  "RSP1".split("").forEach((c, n) => view.setUint8(n, c.charCodeAt(0)));
  view.setUint8(5, 1);
  view.setUint16(6, 84, true);
  view.setBigUint64(8, 7n, true);
  view.setBigUint64(16, 2n ** 63n, true);
  view.setFloat64(24, 1.5, true);
  view.setFloat64(40, NaN, true);
  [24, 16, 20, 10, 1, 1, 1, 2, 1].forEach((value, n) => view.setUint32(48 + 4 * n, value, true));
  view.setUint32(84, 1, true);
  view.setUint16(88, 513, true);
  const { header: read, payload } = parse(message);
  assert.equal(read.imageId, 2n ** 63n);
  assert.equal(read.saturation, Infinity);
  assert.deepEqual([read.fullHeight, read.fullWidth, read.originY, read.originX, read.height, read.width], [24, 16, 20, 10, 1, 2]);
  assert.deepEqual([...read.bad], [1]);
  assert.deepEqual([...pixels(read, payload)], [513, 0]);
  assert.throws(() => parse(new ArrayBuffer(100)), /no picture/);
  assert.throws(() => pixels({ ...read, width: 5 }, payload), /bytes/);
});

test("numbers are written as people read them", () => {
  assert.equal(count(1234567), "1\u202f234\u202f567");
  assert.equal(measured(0.01234), "0.0123");
  assert.equal(measured(12345.6), "12\u202f346");
  assert.equal(measured(10341003), "10\u202f341\u202f003");
  assert.equal(measured(null), "–");
  assert.equal(bytes(4_800_000), "4.8\u00a0MB");
  assert.equal(bytes(999), "999\u00a0B");
  assert.equal(duration(4.25), "4.3\u00a0s");
  assert.equal(duration(187), "3:07\u00a0min");
  assert.equal(duration(7500), "2:05\u00a0h");
  const now = new Date(2026, 5, 1, 12, 0, 0);
  assert.equal(clock(now.getTime() / 1000, now), "12:00:00");
  assert.equal(clock(now.getTime() / 1000, new Date(2026, 5, 2)), "2026-06-01 12:00:00");
  assert.equal(valueText(12.5, { kind: "float", unit: "Hz", format: "plain" }), "12.50\u00a0Hz");
  assert.equal(valueText(true, { kind: "bool", unit: "", format: "plain" }), "yes");
});

test("a command says why it is not possible", () => {
  const now = { connected: true, reachable: true, change: true, reason: "", state: "RUNNING" };
  const command = { name: "initialize", allowed_in: ["STOPPED", "ERROR"] };
  assert.match(whyNot(command, now), /Not possible in RUNNING, only in STOPPED, ERROR/);
  assert.equal(whyNot(command, { ...now, state: "ERROR" }), "");
  assert.match(whyNot({ name: "start", allowed_in: ["RUNNING"] }, { ...now, busy: true }), /takes images/);
  const pause = { name: "pause", allowed_in: ["READY", "WRITING"] };
  assert.equal(whyNot(pause, { ...now, state: "WRITING", busy: true }), "");
  assert.match(whyNot(pause, { ...now, state: "WRITING", busy: false }), /gate is shut/);
  assert.match(whyNot(pause, { ...now, state: "UNKNOWN", busy: false }), /only in READY, WRITING/);
  assert.equal(whyNot({ name: "save_config", allowed_in: [] }, now), "");
  assert.match(whyNot(command, { ...now, connected: false }), /server/);
  assert.match(whyNot(command, { ...now, reachable: false }), /engine/);
  assert.equal(whyNot(command, { ...now, change: false, reason: "this server is read-only" }), "This server is read-only.");
});

test("what is typed becomes a value, what is no number stays for the server to refuse", () => {
  assert.equal(typed({ kind: "int" }, " 12 "), 12);
  assert.equal(typed({ kind: "float" }, "0,5"), 0.5);
  assert.equal(typed({ kind: "int" }, "many"), "many");
  assert.equal(typed({ kind: "int" }, ""), "");
  assert.equal(typed({ kind: "text" }, " x "), " x ");
  assert.equal(typed({ kind: "bool" }, "false"), false);
  assert.equal(limits({ kind: "int", minimum: 1, maximum: 1000000, unit: "frames" }), "1 … 1\u202f000\u202f000 frames");
  assert.equal(limits({ kind: "float", minimum: 0, maximum: null, unit: "" }), "0 or more");
});

test("losses name what, where and why, planned ones last", () => {
  const values = {
    "source.missing": 1, "streams.live.dropped": 9, "streams.live.alarm_on_drop": false,
    "writers.main.dropped": 2, "writers.main.dropped_reasons": "queue_full: 2",
  };
  const found = lossesOf(store(values, { streams: ["streams.live"], writers: ["writers.main"] }));
  assert.deepEqual(found.map((l) => `${l.number} ${l.what} ${l.where}`), [
    "2 frames dropped by writer main", "1 frame missing at the input", "9 frames dropped by stream live",
  ]);
  assert.equal(found[0].reason, "queue_full: 2");
  assert.deepEqual(found.map((l) => l.planned), [false, false, true]);
});

test("the log is filtered by level and words, newest first", () => {
  const entries = [
    { time: 1, level: "info", subject: "engine", text: "STOPPED → RUNNING", acquisition_id: "" },
    { time: 2, level: "warning", subject: "source", text: "3 frames missing", acquisition_id: "1795810299887-3" },
    { time: 3, level: "error", subject: "engine", text: "killed", acquisition_id: "" },
  ];
  assert.deepEqual(filtered(entries, "info", "").map((e) => e.time), [3, 2, 1]);
  assert.deepEqual(filtered(entries, "warning", "").map((e) => e.time), [3, 2]);
  assert.deepEqual(filtered(entries, "info", "ENGINE run").map((e) => e.time), [1]);
  assert.deepEqual(filtered(entries, "info", "1795810299887-3").map((e) => e.time), [2]);
});

test("progress tells share and time left, or neither", () => {
  assert.deepEqual(progressOf(25, 100, 5), { share: 0.25, left: 15 });
  assert.deepEqual(progressOf(25, 0, 5), { share: null, left: null });
  assert.deepEqual(progressOf(100, 100, 5), { share: 1, left: null });
});

test("a policy is said in short", () => {
  assert.equal(policyText(store({ "streams.a.policy": "forward" }), "streams.a"), "all frames");
  assert.equal(policyText(store({ "streams.a.policy": "send_every_nth", "streams.a.every_nth": 5 }), "streams.a"), "every 5th");
  assert.equal(policyText(store({ "streams.a.policy": "a_new_one" }), "streams.a"), "a new one");
});

test("a drawn region takes the first free place, none where all are in use", () => {
  const used = (...numbers) => Object.fromEntries(numbers.flatMap((n) => [[`pictures.1.roi${n}_width`, 5], [`pictures.1.roi${n}_height`, 5]]));
  const box = { x: 1, y: 2, width: 3, height: 4 };
  assert.deepEqual(newRegion(store(used(1, 3)), "pictures.1", box), {
    "pictures.1.roi2_x": 1, "pictures.1.roi2_y": 2, "pictures.1.roi2_width": 3, "pictures.1.roi2_height": 4,
  });
  assert.equal(newRegion(store(used(1, 2, 3, 4)), "pictures.1", box), null);
  assert.deepEqual(regionsOf(store(used(2)), "pictures.1").map((r) => r.name), ["Region 2"]);
});

test("a name goes into a header whatever its letters are", () => {
  assert.equal(encodeHeader("Zoë Müller"), "Zoe Muller");
  assert.equal(encodeHeader("李"), "?");
});
