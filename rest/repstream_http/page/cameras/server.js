/** What a camera server or a pipeline server is asked for; a refusal is an error with the server's words. */

import { request } from "../api.js";

/**
 * @typedef {"camera" | "pipeline"} Kind
 * @typedef {{name: string, saved: boolean, state: string, message: string, camera?: string, clients?: number, rate?: number,
 *   received?: number, lost?: number, reasons?: Record<string, number>, size?: [number, number] | null,
 *   beam?: Record<string, number | null>, server?: string}} Instance
 * @typedef {{address: string, problem: string, instances: number, cpu: number | null, memory: number | null, since: number,
 *   started: number, restarts: number}} Host
 * @typedef {Record<string, any>} Configuration
 */

const PREFIX = { camera: "cam", pipeline: "pipeline" };

/**
 * One request; answers with the JSON of the answer.
 * @param {string} method @param {string} path below /api/v1/ @param {unknown} [body]
 */
async function ask(method, path, body) {
  const answer = await request(method, path, body);
  if (answer?.state === "error") throw new Error(answer.status);
  return answer;
}

export class Server {
  constructor() {
    /** @type {Kind} */
    this.kind = "camera";
    /** @type {Instance[]} */
    this.instances = [];
    /** @type {Host[]} that a manager spreads them over */
    this.hosts = [];
  }

  async load() {
    const found = await ask("GET", "instances");
    this.kind = found.kind;
    this.instances = found.instances;
    this.hosts = found.servers;
  }

  /** @param {string} name */
  find(name) {
    return this.instances.find((each) => each.name === name);
  }

  /** The path of what this page alone asks for. @param {string} name */
  at(name) {
    return `instances/${encodeURIComponent(name)}`;
  }

  /** @param {string} name */
  beam(name) {
    return ask("GET", `${this.at(name)}/beam`);
  }

  /** @param {string} name */
  start(name) {
    return ask("GET", this.kind === "camera" ? `cam/${encodeURIComponent(name)}` : `pipeline/instance/${encodeURIComponent(name)}`);
  }

  /** @param {string} name */
  stop(name) {
    return ask("DELETE", `${PREFIX[this.kind]}/${encodeURIComponent(name)}`);
  }

  /** The saved configuration, or that of an instance that is not saved. @param {string} name @returns {Promise<Configuration>} */
  async configuration(name) {
    return (await ask("GET", this.configurationPath(name))).config;
  }

  /** @param {string} name */
  configurationPath(name) {
    const each = encodeURIComponent(name);
    return this.kind === "pipeline" && !this.find(name)?.saved ? `pipeline/instance/${each}/config` : `${PREFIX[this.kind]}/${each}/config`;
  }

  /**
   * Change keys, now and for the next start. A pipeline that runs is asked first: it knows best what is wrong.
   * @param {string} name @param {Configuration} change
   */
  async change(name, change) {
    const instance = this.find(name);
    const runs = instance?.state === "RUNNING";
    if (this.kind === "pipeline" && runs) await ask("POST", `pipeline/instance/${encodeURIComponent(name)}/config`, change);
    if (this.kind === "camera" || instance?.saved) {
      const whole = { ...(await this.configuration(name)), ...change };
      await ask("POST", this.configurationPath(name), whole);
    }
  }

  /** Save a whole configuration under a name that is new. @param {string} name @param {Configuration} configuration */
  async create(name, configuration) {
    if (!name) throw new Error("A name is needed.");
    await this.load();
    if (this.find(name)) throw new Error(`There is a ${this.kind} ${name} already; take another name.`);
    await ask("POST", `${PREFIX[this.kind]}/${encodeURIComponent(name)}/config`, configuration);
    await this.load();
  }

  /** Remove a configuration, and stop what runs of it. @param {string} name */
  async remove(name) {
    const path = `${PREFIX[this.kind]}/${encodeURIComponent(name)}`;
    if (this.find(name)?.saved) await ask("DELETE", `${path}/config`);
    await ask("DELETE", `${path}/del`);
    await this.load();
  }

  /** The mean of images of a camera, kept as a background; its id. @param {string} camera @param {number} number */
  async collectBackground(camera, number) {
    return (await collect(`pipeline/camera/${encodeURIComponent(camera)}/background?n_images=${number}`)).background_id;
  }
}

/** A request that may take minutes. @param {string} path */
async function collect(path) {
  const answer = await fetch(new URL(`api/v1/${path}`, document.baseURI), { method: "POST" });
  const content = await answer.json();
  if (content.state === "error") throw new Error(content.status);
  return content;
}
