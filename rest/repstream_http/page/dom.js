/** Making and keeping elements; nothing else touches markup, and no text is ever taken as markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element with properties and children. `on…` are listeners, `class`, `aria-…`, `data-…`, `for` and
 * `role` attributes; anything else is a property.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (/^(class|for|role|list|aria-|data-)/.test(name)) element.setAttribute(name, String(value));
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...kept(children));
  return element;
}

/**
 * A long name that may be broken after its underscores, and nowhere else.
 * @param {string} name
 * @returns {Child[]}
 */
export function broken(name) {
  return name.split(/(?<=_)/).flatMap((part, n) => (n ? [h("wbr"), part] : [part]));
}

/**
 * Replace what an element contains.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
}

/**
 * Set a text only where it differs, so that selections and screen readers are left in peace.
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Set or remove an attribute, only where it differs.
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";

/** The outlines of the few symbols that are used, in a square of 24. */
const SYMBOLS = {
  live: "M3 12h4l3-8 4 16 3-8h4",
  acquisitions: "M5 4h14v16H5zM9 8h6M9 12h6M9 16h4",
  files: "M3 6h6l2 3h10v10H3z",
  log: "M4 6h16M4 12h16M4 18h10",
  settings: "M4 7h10m4 0h2M4 17h2m4 0h10M14 4v6M6 14v6",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c1-5 15-5 16 0",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  pause: "M8 5v14M16 5v14",
  play: "M7 4l12 8-12 8z",
  region: "M4 4h3M17 4h3v3M20 17v3h-3M7 20H4v-3M4 10v4M20 10v4M10 4h4M10 20h4",
  profile: "M3 20h18M3 16c4 0 4-11 8-11s4 8 10 8",
  save: "M12 3v12m-5-5 5 5 5-5M4 20h16",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  folder: "M3 6h6l2 3h10v10H3z",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4",
};

/**
 * A symbol beside a text, not read out.
 * @param {keyof typeof SYMBOLS} name
 */
export function symbol(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "symbol");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SYMBOLS[name]);
  svg.append(path);
  return svg;
}

/**
 * A colour of the style sheet as the page shows it now, for what is drawn on a canvas.
 * @param {Element} element
 * @param {string} name such as "--muted"
 */
export function colourOf(element, name) {
  const probe = h("i", { hidden: true });
  probe.style.color = `var(${name})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** @param {(Child | Child[])[]} children */
function kept(children) {
  return /** @type {(Node | string)[]} */ (
    children.flat().filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c)))
  );
}
