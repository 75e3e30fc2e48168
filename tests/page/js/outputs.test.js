/** Streams and writers that come and go, commands, and what is said of results, without a browser. */

import assert from "node:assert/strict";
import test from "node:test";

globalThis.localStorage ??= { getItem: () => null, setItem: () => {} };
const PAGE = "../../../rest/repstream_http/page/";
const { nextAddress } = await import(`${PAGE}outputs.js`);
const { prominent } = await import(`${PAGE}commands.js`);
const { says } = await import(`${PAGE}acquisitions.js`);

test("a new stream gets the port after the highest that is taken", () => {
  assert.equal(nextAddress(["tcp://*:9611", "tcp://*:9700", "ipc:///tmp/a"], "tcp://*:9610"), "tcp://*:9701");
  assert.equal(nextAddress(["ipc:///tmp/a"], "tcp://*:9610"), "tcp://*:9610");
  assert.equal(nextAddress(["tcp://*:65535"], "tcp://*:9610"), "tcp://*:9610");
});

test("after an error the command that leads out of it stands out", () => {
  assert.equal(prominent(["stop", "initialize", "reset"], "ERROR"), "initialize");
  assert.equal(prominent(["stop", "reset"], "RUNNING"), "stop");
  assert.equal(prominent(["abort"], "WRITING"), undefined);
});

test("a message that only repeats the result is not shown", () => {
  assert.ok(!says("Completed.", "completed"));
  assert.ok(says("Interrupted by stop after 9 of 200 images.", "interrupted"));
});
