// `storycore/testing`: the local platform for tests: real, in a process of its own, gone when the test is. It is the
// `storycore` program, which `cargo install` or the PyPI package `storycore-cli` brings.
"use strict";

const { spawn } = require("node:child_process");
const { accessSync, closeSync, constants, fstatSync, mkdtempSync, openSync, readSync, rmSync } = require("node:fs");
const http = require("node:http");
const { tmpdir } = require("node:os");
const { delimiter, join } = require("node:path");
const { StoryCoreClient } = require("./client.js");

const PROGRAM = "storycore";
const VARIABLE = "STORYCORE_CLI";
const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/** The local platform cannot be started, has ended, or refuses what it was told. */
class LocalPlatformError extends Error {}
Object.defineProperty(LocalPlatformError.prototype, "name", { value: "LocalPlatformError", configurable: true });

class LocalPlatform {
  #process;
  #log;
  #ended;

  /** Use `LocalPlatform.start`. */
  constructor(child, log, ended, ready) {
    this.#process = child;
    this.#log = log;
    this.#ended = ended;
    this.url = ready.url;
    this.organizationId = ready.organization_id;
    // It may do everything; it is not printed.
    Object.defineProperty(this, "apiKey", { value: ready.api_key, enumerable: false });
  }

  static async start({ command, strict = false, apiKey, startTimeout = 30_000 } = {}) {
    const program = findProgram(command);
    const args = ["dev", "--in-memory", "--listen", "127.0.0.1:0", "--json", "--stop-with-stdin"];
    if (strict) args.push("--strict");
    if (apiKey !== undefined) args.push("--api-key", apiKey);
    // A file, since a pipe that nobody reads would stop the platform when it is full.
    const log = new Log();
    // Of its own group: Ctrl-C in the terminal is for the tests, which end the platform when they are done with it.
    const child = spawn(program, args, { stdio: ["pipe", "pipe", log.descriptor], detached: process.platform !== "win32" });
    const ended = new Promise((resolve) => {
      child.once("close", resolve);
      child.once("error", resolve);
    });
    try {
      const ready = await readyLine(child, startTimeout);
      // Tests that forget it are not kept from ending; its standard input ends with them, and it with that.
      child.unref();
      child.stdin.unref?.();
      child.stdout.unref?.();
      return new LocalPlatform(child, log, ended, ready);
    } catch (error) {
      child.kill("SIGKILL");
      await ended;
      const said = log.text().trim();
      log.close();
      if (error instanceof LocalPlatformError && said) error.message += `; it says:\n${said}`;
      throw error;
    }
  }

  /** Ends it. Does nothing when it has ended. */
  async stop() {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    child.ref();
    child.stdin.destroy();
    const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await this.#ended;
    clearTimeout(late);
    this.#log.close();
  }

  [asyncDispose]() {
    return this.stop();
  }

  /** What a program needs to find it. */
  environment() {
    return { STORYCORE_BASE_URL: this.url, STORYCORE_API_KEY: this.apiKey };
  }

  /** A client of it. */
  client(options) {
    return new StoryCoreClient({ baseUrl: this.url, apiKey: this.apiKey, ...options });
  }

  /** Lets coming requests go wrong: `{path, method?, nth?, times?, headers?, action}`. */
  fault({ nth = 1, times = 1, ...rest }) {
    return this.#ask("POST", "/_local/faults", { nth, times, ...rest });
  }

  /** The planted faults. */
  async faults() {
    return (await this.#ask("GET", "/_local/faults")).data;
  }

  /** Removes every fault. */
  async clearFaults() {
    await this.#ask("DELETE", "/_local/faults");
  }

  /** What arrived, oldest first, the last 2000 at most. */
  async requests({ method, path } = {}) {
    const { data } = await this.#ask("GET", "/_local/requests");
    return data.filter(
      (request) =>
        (method === undefined || request.method === method.toUpperCase()) && (path === undefined || request.path === path),
    );
  }

  /** Forgets what arrived. */
  async clearRequests() {
    await this.#ask("DELETE", "/_local/requests");
  }

  /** The platform's time, after it was set to `now` or moved by `advance` milliseconds. */
  async clock({ now, advance } = {}) {
    if (now !== undefined && advance !== undefined) throw new TypeError("give `now` or `advance`, not both");
    let answer;
    if (now !== undefined) answer = await this.#ask("POST", "/_local/clock", { now: now.toISOString() });
    else if (advance !== undefined) answer = await this.#ask("POST", "/_local/clock", { advance_seconds: advance / 1000 });
    else answer = await this.#ask("GET", "/_local/clock");
    return new Date(answer.now);
  }

  /** Empties it: every object, fault and request is gone, and its clock is right. Keys like `apiKey` stay. */
  async reset() {
    await this.#ask("DELETE", "/_local/state");
  }

  /** Another organization, which sees nothing of the first. */
  organization(name = "Another") {
    return this.#ask("POST", "/_local/organizations", { name });
  }

  /** What it has written to its log. */
  log() {
    return this.#log.text();
  }

  #ask(method, path, body) {
    if (this.#process === undefined) throw new LocalPlatformError("this local platform was stopped");
    return ask(this.url + path, method, body);
  }
}

/** Straight to it: a proxy of the environment is not meant for this machine. */
function ask(url, method, body) {
  return new Promise((resolve, reject) => {
    const failed = (error) => reject(new LocalPlatformError(`the local platform does not answer: ${error.message}`));
    const request = http.request(url, { method, agent: false, headers: { "content-type": "application/json" } }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("error", failed);
      answer.on("end", () => {
        const text = Buffer.concat(pieces).toString();
        if (answer.statusCode >= 400) reject(new LocalPlatformError(refusal(text, answer.statusCode)));
        else resolve(text === "" ? undefined : JSON.parse(text));
      });
    });
    request.setTimeout(30_000, () => request.destroy(new Error("it is silent")));
    request.on("error", failed);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function refusal(text, status) {
  try {
    const { error } = JSON.parse(text);
    const details = (error.details ?? []).map((detail) => `${detail.field}: ${detail.message}`).join("; ");
    return `the local platform refuses: ${error.message}${details ? ` (${details})` : ""}`;
  } catch {
    return `the local platform answers ${status}`;
  }
}

function readyLine(child, within) {
  return new Promise((resolve, reject) => {
    let text = "";
    const refuse = (why) => {
      clearTimeout(late);
      reject(new LocalPlatformError(why));
    };
    const late = setTimeout(() => refuse(`the local platform was not ready within ${within} ms`), within);
    child.once("error", (error) => refuse(`cannot start ${child.spawnfile}: ${error.message}`));
    child.once("exit", (code) => refuse(`the local platform ended with ${code} before it was ready`));
    child.stdout.on("data", function heard(piece) {
      text += piece;
      const end = text.indexOf("\n");
      if (end < 0) return;
      child.stdout.off("data", heard);
      child.stdout.resume();
      clearTimeout(late);
      try {
        resolve(JSON.parse(text.slice(0, end)));
      } catch {
        refuse("the program is no `storycore`: its first line is not the one of `storycore dev`");
      }
    });
  });
}

/** The path of the program, the most deliberate choice first. */
function findProgram(given) {
  for (const [path, source] of [
    [given, "`command`"],
    [process.env[VARIABLE] || undefined, VARIABLE],
  ]) {
    if (path === undefined) continue;
    if (!canRun(path)) throw new LocalPlatformError(`${source} is ${path}, which is no program that can be run`);
    return path;
  }
  const ending = process.platform === "win32" ? ".exe" : "";
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, PROGRAM + ending);
    if (folder !== "" && canRun(path)) return path;
  }
  throw new LocalPlatformError(
    `the local platform needs the \`${PROGRAM}\` program: pip install storycore-cli, or set ${VARIABLE} to its path`,
  );
}

function canRun(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A file without a place in any folder, where the system allows that. */
class Log {
  #folder = mkdtempSync(join(tmpdir(), "storycore-"));

  constructor() {
    this.descriptor = openSync(join(this.#folder, "log"), "w+");
    if (process.platform !== "win32") this.#remove();
  }

  text() {
    if (this.descriptor === undefined) return "";
    const { size } = fstatSync(this.descriptor);
    const bytes = Buffer.alloc(size);
    return bytes.toString("utf8", 0, readSync(this.descriptor, bytes, 0, size, 0));
  }

  close() {
    if (this.descriptor === undefined) return;
    closeSync(this.descriptor);
    this.descriptor = undefined;
    this.#remove();
  }

  #remove() {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

module.exports = { LocalPlatform, LocalPlatformError };
