/** The decoder of pictures against buffers that the server's library made. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { decompress } from "../../../rest/repstream_http/page/picture/blosc.js";

const folder = new URL("../../data/page/", import.meta.url);

test("what the server's Blosc packed is unpacked bit by bit", () => {
  const cases = readdirSync(folder).filter((name) => name.endsWith(".blosc"));
  assert.ok(cases.length >= 12);
  for (const name of cases) {
    const found = decompress(new Uint8Array(readFileSync(new URL(name, folder))));
    const wanted = createHash("sha256").update(found).digest("hex").slice(0, 16);
    assert.ok(name.includes(wanted), name);
  }
});

test("a damaged buffer is an error, never an endless loop", () => {
  const name = readdirSync(folder).find((n) => n.startsWith("uint16_1000_5"));
  const whole = new Uint8Array(readFileSync(new URL(name, folder)));
  assert.throws(() => decompress(whole.slice(0, 10)), /header/);
  for (let at = 16; at < whole.length; at += 7) {
    const spoilt = whole.slice();
    spoilt[at] ^= 0x55;
    try {
      decompress(spoilt);
    } catch (error) {
      assert.ok(error instanceof Error);
    }
  }
});
