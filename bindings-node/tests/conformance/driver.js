// The conformance driver for Node: reads operations from standard input, makes them with this package, answers on standard
// output. The protocol is in `tests/conformance/src/driver.rs`. Its native library is built with the feature `conformance`.
"use strict";

const { mkdtemp, readFile, rm } = require("node:fs/promises");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { createInterface } = require("node:readline");
const { inspect } = require("node:util");
const { Worker } = require("node:worker_threads");
const storycore = require("storycore");
const { ReplayGuard, Webhook, isKnownEvent, sign } = require("storycore/webhooks");
const native = require("../../lib/native.js");
const { start } = require("../../lib/bridge.js");

const clients = new Map();
const settings = new Map();
const running = new Map();
const cancelled = Symbol("cancelled");
const guard = new ReplayGuard();
const tokens = new Map();
let authorization;

// A scenario may want to see that a client leaves the program's logging to the program.
let watchLater = process.env.CONFORMANCE_WATCH === "later";
if (!watchLater) native.watchBegin();

// Like the runtime of the driver for Rust, the threads are there before a scenario counts what is open.
const ready = move(0);

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => void ready.then(() => act(JSON.parse(line))));
// What is still under way ends with the scenario.
lines.on("close", () => process.exit(0));

async function act(operation) {
  const { id } = operation;
  try {
    answer({ id, result: (await perform(operation)) ?? null });
  } catch (error) {
    answer({ id, error: told(error) });
  }
}

/** Moves the clocks of all threads. */
function move(ms) {
  const threads = Array.from({ length: native.threads() }, (_, thread) => thread);
  return Promise.all(
    threads.map((thread) => start({}, undefined, undefined, (bridge, id) => native.advance(bridge, id, thread, ms))),
  );
}

function answer(message) {
  process.stdout.write(`${JSON.stringify(message, readTimes)}\n`);
}

async function perform(operation) {
  const { id, op, client: name = "a" } = operation;
  switch (op) {
    case "client":
      settings.set(name, operation.options);
      clients.set(name, makeClient(operation.options));
      if (watchLater) native.watchBegin();
      watchLater = false;
      return null;
    case "cancel":
      running.get(operation.target)?.abort(cancelled);
      return null;
    case "advance":
      await move(operation.ms);
      return null;
  }
  const abort = new AbortController();
  running.set(id, abort);
  try {
    return await call(name, operation, abort.signal);
  } finally {
    running.delete(id);
  }
}

function makeClient({ from_env, ...options }) {
  if (from_env) return storycore.StoryCoreClient.fromEnv();
  const made = {};
  for (const [name, value] of Object.entries(options)) {
    switch (name) {
      case "timeout_ms":
      case "attempt_timeout_ms":
      case "max_retry_after_ms":
        made[camel(name.slice(0, -3))] = value;
        break;
      case "breaker":
        made.circuitBreaker = { failureThreshold: value.failure_threshold, recoveryTimeout: value.recovery_timeout_ms };
        break;
      case "roots":
        made.caCertificates = value;
        break;
      case "certificate":
        made.clientCertificate = value;
        break;
      case "jwt":
        made.jwt = { ...camels(value), lifetimeS: undefined, lifetime: value.lifetime_s && value.lifetime_s * 1000 };
        break;
      case "oauth":
        made.oauth = camels(value);
        break;
      case "signed_in":
        made.oauth = { clientId: value.client_id, tokens: tokens.get(value.code) };
        break;
      default:
        made[camel(name)] = value;
    }
  }
  return new storycore.StoryCoreClient(made);
}

function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function camels(object) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [camel(name), value]));
}

async function call(name, { method, ...operation }, signal) {
  const args = operation.args ?? {};
  const options = operation.options ?? {};
  switch (method) {
    case "webhooks.verify":
      return verify(args);
    case "webhooks.guard":
      return guard[args.say ?? "take"](args.id);
    case "watch.spans":
    case "watch.metrics":
    case "watch.text":
      return JSON.parse(native.watchSeen(method.slice("watch.".length)));
    case "watch.client":
      return inspect(clients.get(name), { showHidden: true, depth: 10 });
    case "process.fork":
      throw Object.assign(new Error("Node does not fork"), { kind: "not_here" });
    case "process.runtimes":
      return [await inWorker(name, args), await inWorker(name, args)];
  }
  const client = clients.get(name);
  const { id, ...rest } = args;
  const given = { ...camels(options), timeoutMs: undefined, timeout: options.timeout_ms, headers: options.headers, signal };
  switch (method) {
    case "projects.create":
      return client.projects.create({ name: "", ...rest }, given);
    case "projects.update":
      return client.projects.update(id, rest, given);
    case "projects.get":
    case "projects.delete":
    case "assets.get":
    case "jobs.get":
    case "webhooks.get":
    case "api_keys.get":
    case "events.get": {
      const [resource, verb] = method.split(".");
      return client[camel(resource)][verb](id, given);
    }
    case "projects.list":
    case "jobs.list":
      return client[method.split(".")[0]].list(listed(args), given);
    case "projects.pages":
      return collected(client.projects.pages(listed(args), given));
    case "projects.items":
      return collected(client.projects.list(listed(args), given), args.pause_ms);
    case "assets.content":
      return (await client.assets.content(id, given)).toString();
    case "assets.download": {
      const folder = await mkdtemp(join(tmpdir(), "conformance-"));
      try {
        await client.assets.download(id, join(folder, "download"), given);
        return await readFile(join(folder, "download"), "utf8");
      } finally {
        await rm(folder, { recursive: true });
      }
    }
    case "webhooks.create": {
      const { id, secret } = await client.webhooks.create({ events: [], ...args }, given);
      return { id, secret };
    }
    case "api_keys.create": {
      const { id, secret } = await client.apiKeys.create({ permissions: ["read"], ...args }, given);
      return { id, secret };
    }
    case "jobs.create":
      return client.jobs.create({ parameters: {}, ...args }, given);
    case "jobs.wait":
      return client.jobs.wait(id, { ...given, timeout: args.timeout_ms });
    case "jobs.events":
      return (await collected(client.jobs.events(id, given))).map(({ id, type, job }) => ({ id, type, progress: job.progress ?? null, status: job.status }));
    case "assets.upload":
      return upload(client, args, given);
    case "assets.steer":
      control(args.control)[args.say]();
      return null;
    case "oauth.begin":
      authorization = new storycore.Authorization(camels(args));
      return { url: authorization.url(client) };
    case "oauth.exchange": {
      const got = await authorization.exchange(client, args);
      tokens.set(args.code, got);
      return { expires_in: got.expires_in, refreshes: typeof got.refresh_token === "string" };
    }
    case "request": {
      // A body that comes in pieces and cannot be had again.
      const body = args.stream === undefined ? undefined : (async function* () { yield args.stream; })();
      const answered = await client.request(args.method, args.path, { body, contentType: body && "application/json", ...given });
      const { status, requestId } = answered;
      return { status, request_id: requestId, body: answered.body.length === 0 ? null : answered.json() };
    }
  }
  throw new Error(`the driver knows no method ${method}`);
}

const controls = new Map();

function control(name) {
  if (!controls.has(name)) controls.set(name, new storycore.UploadControl());
  return controls.get(name);
}

/** Uploads the file at `path`: as such, or its bytes, or a stream of them. */
async function upload(client, args, given) {
  const bytes = args.source && (await readFile(args.path));
  const pieces = function* () {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  };
  const told = [];
  const { asset, ...report } = await client.media.uploadReport({ bytes, stream: bytes && pieces() }[args.source] ?? args.path, {
    ...given,
    type: "document",
    fileName: bytes && "film.bin",
    journal: args.journal ?? false,
    chunkSize: args.chunk_kib && args.chunk_kib * 1024,
    maxStreams: args.streams,
    stallTimeout: args.stall_ms,
    control: args.control === undefined ? undefined : control(args.control),
    onProgress: (progress) => told.push(progress),
  });
  const last = told.at(-1);
  const gaps = told.slice(1, -1).map(({ elapsed }, number) => Math.floor(elapsed - told[number].elapsed));
  const shortest = gaps.length > 0 ? Math.min(...gaps) : null;
  return { asset, ...report, progress: { last: last && { acknowledged: last.acknowledged, total: last.total }, shortest_ms: shortest } };
}

function listed({ limit, page_size, max_items, pause_ms, ...rest }) {
  return { pageSize: limit ?? page_size, maxItems: max_items, ...rest };
}

async function collected(source, pause) {
  const all = [];
  for await (const one of source) {
    all.push(one);
    if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  return all;
}

/** Makes a call in an environment of its own, which ends with it. */
function inWorker(name, operation) {
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     const { StoryCoreClient } = require(workerData.path);
     const { options, method, args } = workerData;
     const [resource, verb] = method.split(".");
     new StoryCoreClient(options)[resource][verb](args)
       .then((result) => parentPort.postMessage({ result }), (error) => parentPort.postMessage({ error: { kind: error.kind, message: error.message } }));`,
    { eval: true, workerData: { path: require.resolve("storycore"), options: camels(settings.get(name)), ...operation } },
  );
  return new Promise((resolve, reject) => {
    let seen;
    worker.on("message", (message) => (seen = message));
    worker.on("error", reject);
    worker.on("exit", () => resolve(seen));
  });
}

function verify({ body, headers = {}, secrets, now, platform, sign: scheme, private_key: key }) {
  const webhook = new Webhook(secrets, { platform, clock: () => now * 1000 });
  const about = { id: "evt_1", at: new Date(now * 1000) };
  if (scheme === "public") headers = sign(Buffer.from(key), body, about);
  else if (scheme === "standard") headers = sign(secrets[0], body, about);
  else if (scheme) headers = sign(secrets[0], body, { platform: scheme });
  const event = webhook.verify(body, headers);
  const unknown = isKnownEvent(event) ? null : { type: event.event, raw: Buffer.from(event.raw).toString() };
  return { id: event.id, type: event.event, organization_id: event.organization_id, data: event.data, unknown };
}

/** A time as JavaScript reads it: objects have the platform's own text. */
function readTimes(name, value) {
  const isTime = typeof value === "string" && /_at$/.test(name) && !Number.isNaN(Date.parse(value));
  return isTime ? new Date(value).toISOString().replace(".000Z", "Z") : value;
}

/** An error with every field that scenarios ask for. */
function told(error) {
  if (error === cancelled) return { kind: "cancelled", message: "the call was cancelled" };
  const { kind, message, status, code, param, details, requestId, idempotencyKey, retryAfter, attempts, elapsed, retryable, body, job, cause } = error;
  return {
    kind: kind ?? "no error of the client's",
    message,
    status: status ?? null,
    code: code ?? null,
    param: param ?? null,
    details: details ?? null,
    request_id: requestId ?? null,
    idempotency_key: idempotencyKey ?? null,
    retry_after_ms: retryAfter ?? null,
    attempts,
    elapsed_ms: elapsed === undefined ? undefined : Math.floor(elapsed),
    retryable,
    body: body ?? null,
    job: job ?? null,
    cause: cause?.message ?? null,
    text: `${error} ${inspect(error, { depth: 10 })}`,
  };
}
