/** Requests to the server. Addresses are relative to the page, so that a proxy may put it in a folder. */

const ROOT = globalThis.document ? new URL("api/v1/", document.baseURI) : new URL("http://localhost/api/v1/");
const PATIENCE = 15_000;

/** Why something was not done, as the server says it. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where no answer came
   * @param {string} subject
   * @param {string} reason
   */
  constructor(status, subject, reason) {
    super(reason);
    this.status = status;
    this.subject = subject;
    this.reason = reason;
  }
}

/** Who asks, as everybody will read it; kept in this browser. */
export const person = {
  get name() {
    return localStorage.getItem("repstream.person") ?? "";
  },
  set name(name) {
    localStorage.setItem("repstream.person", name.trim().slice(0, 64));
  },
};

/**
 * One request; answers with the JSON of the answer.
 * @param {string} method
 * @param {string} path below /api/v1/
 * @param {unknown} [body]
 * @returns {Promise<any>}
 */
export async function request(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json" };
  if (person.name) headers["x-requested-by"] = encodeHeader(person.name);
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new ApiError(0, path, "the server does not answer");
  }
  const text = await answer.text();
  const content = text ? parsed(text) : null;
  if (answer.ok) return content;
  const error = content?.error ?? {};
  throw new ApiError(answer.status, error.subject ?? path, error.reason ?? `the server answered ${answer.status}`);
}

/**
 * A picture or file as bytes.
 * @param {string} path
 * @param {string} accept
 * @returns {Promise<ArrayBuffer>}
 */
export async function binary(path, accept) {
  const answer = await fetch(new URL(path, ROOT), { headers: { accept }, cache: "no-store" });
  if (answer.ok) return answer.arrayBuffer();
  const content = parsed(await answer.text());
  throw new ApiError(answer.status, path, content?.error?.reason ?? `the server answered ${answer.status}`);
}

/**
 * The full address of a path, for links and WebSockets.
 * @param {string} path
 * @param {"http" | "ws"} [scheme]
 */
export function address(path, scheme = "http") {
  const url = new URL(path, ROOT);
  if (scheme === "ws") url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

/**
 * Headers carry Latin characters only; others lose their accents or become "?".
 * @param {string} text
 */
export function encodeHeader(text) {
  return text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/[^\x20-\x7e]/g, "?");
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
