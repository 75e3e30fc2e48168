/** Colour maps: 256 colours each, from the tables that the server uses too. */

/** @type {Map<string, Uint8Array>} red, green, blue, alpha of 256 levels */
export const colourMaps = new Map();

/** Load the tables, once. */
export async function loadColours() {
  if (colourMaps.size) return;
  const answer = await fetch(new URL("../colour-maps.json", import.meta.url));
  for (const [name, text] of Object.entries(await answer.json())) colourMaps.set(name, table(atob(text)));
}

/** @param {string} bytes red, green and blue of 256 levels */
export function table(bytes) {
  const found = new Uint8Array(1024);
  for (let level = 0; level < 256; level += 1) {
    for (let part = 0; part < 3; part += 1) found[4 * level + part] = bytes.charCodeAt(3 * level + part);
    found[4 * level + 3] = 255;
  }
  return found;
}
