// What a client does to the program that it lives in: it holds none, leaves none hanging, and works in workers.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, test } = require("node:test");
const { setTimeout: sleep } = require("node:timers/promises");
const { promisify } = require("node:util");
const { Worker } = require("node:worker_threads");
const { JobCancelledError, StoryCoreClient, WaitTimeoutError } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

const run = promisify(execFile);
let platform;

before(async () => {
  platform = await LocalPlatform.start();
});

after(() => platform?.stop());

/** What a program says that ends by itself within twenty seconds. */
async function program(text, kind = "commonjs") {
  const args = [`--input-type=${kind}`, "--eval", text];
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...platform.environment() }, timeout: 20_000, cwd: __dirname });
  return stdout.trim();
}

test("a program with an idle client ends by itself", async () => {
  assert.equal(await program(`const { StoryCoreClient } = require("storycore"); StoryCoreClient.fromEnv(); console.log("made")`), "made");
  const after = `const client = require("storycore").StoryCoreClient.fromEnv();
    client.projects.list().then((page) => console.log(page.data.length));`;
  assert.equal(await program(after), "0");
});

test("a client that was only made starts no thread and opens nothing", { skip: process.platform !== "linux" && "it looks into /proc" }, async () => {
  const looks = `const { readdirSync } = require("node:fs");
    const { StoryCoreClient } = require("storycore");
    const open = () => [readdirSync("/proc/self/task").length, readdirSync("/proc/self/fd").length].join();
    const before = open();
    const client = StoryCoreClient.fromEnv();
    new StoryCoreClient({ apiKey: "x", maxInFlight: 2, circuitBreaker: {} });
    client.projects.list(); client.projects.items();
    console.log(before === open());
    client.projects.list().then(() => console.log(before === open()));`;
  assert.equal(await program(looks), "true\nfalse");
});

test("a program waits for its calls", async () => {
  await platform.fault({ path: "/api/projects/slow", action: { delay_ms: 400, status: 200, body: '{"id":"slow"}' } });
  const waits = `require("storycore").StoryCoreClient.fromEnv().projects.get("slow").then(({ id }) => console.log(id));`;
  assert.equal(await program(waits), "slow");
});

test("process.exit ends a program with calls in flight", async () => {
  await platform.fault({ path: "/api/projects/never", times: 0, action: { stall: true } });
  const leaves = `const client = require("storycore").StoryCoreClient.fromEnv();
    for (let n = 0; n < 50; n++) client.projects.get("never").catch(() => {});
    setTimeout(() => { console.log("leaving"); process.exit(0); }, 100);`;
  assert.equal(await program(leaves), "leaving");
  await platform.clearFaults();
});

test("what import and require give is the same", async () => {
  const text = `import storycore, { StoryCoreClient, NotFoundError } from "storycore";
    import { createRequire } from "node:module";
    const required = createRequire(import.meta.url)("storycore");
    console.log(required === storycore, required.StoryCoreClient === StoryCoreClient, required.NotFoundError === NotFoundError,
      Object.keys(required).every((name) => name in storycore));
    const names = Object.keys(await import("storycore"));
    console.log(Object.keys(required).filter((name) => !names.includes(name)).join());`;
  assert.equal(await program(text, "module"), "true true true true");
});

test("several workers and the main thread call at the same time, and end", async () => {
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    const { StoryCoreClient } = require(workerData.path);
    const clients = [new StoryCoreClient(workerData.options), new StoryCoreClient(workerData.options)];
    Promise.all(Array.from({ length: 40 }, (_, n) => clients[n % 2].projects.create({ name: "w" + n })))
      .then((all) => parentPort.postMessage(all.map((one) => one.name)));`;
  const options = { baseUrl: platform.url, apiKey: platform.apiKey };
  const started = Array.from({ length: 4 }, () => {
    const worker = new Worker(code, { eval: true, workerData: { path: require.resolve("storycore"), options } });
    return new Promise((resolve, reject) => {
      let names;
      worker.on("message", (message) => (names = message));
      worker.on("error", reject);
      worker.on("exit", () => resolve(names));
    });
  });
  const client = platform.client();
  const own = await Promise.all(Array.from({ length: 40 }, () => client.projects.list()));
  assert.equal(own.length, 40);
  for (const names of await Promise.all(started)) assert.deepEqual(names, Array.from({ length: 40 }, (_, n) => `w${n}`));
  await client.close();
});

test("workers and the main thread call one after another, each on its own and all side by side", async () => {
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    const client = new (require(workerData.path).StoryCoreClient)(workerData.options);
    (async () => {
      let found = 0;
      for (let n = 0; n < 200; n++) found += (await client.projects.get(workerData.id)).id === workerData.id;
      // The last of the lone calls, and many at once behind it.
      const all = await Promise.all(Array.from({ length: 30 }, () => client.projects.get(workerData.id)));
      parentPort.postMessage(found + all.length);
    })();`;
  const client = platform.client();
  const { id } = await client.projects.create({ name: "shared" });
  const workerData = { path: require.resolve("storycore"), options: { baseUrl: platform.url, apiKey: platform.apiKey }, id };
  const counts = Array.from({ length: 3 }, () => {
    const worker = new Worker(code, { eval: true, workerData });
    return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  });
  for (let n = 0; n < 200; n++) assert.equal((await client.projects.get(id)).id, id);
  assert.deepEqual(await Promise.all(counts), [230, 230, 230]);
  await client.close();
});

test("a connection that is closed between two calls costs no request", async () => {
  const attempts = [];
  let closed;
  const server = createServer((request, response) => {
    attempts.push(request.headers["x-client-attempt"]);
    request.resume();
    closed = new Promise((resolve) => {
      response.once("finish", () => setImmediate(() => request.socket.end(resolve)));
    });
    response.end(JSON.stringify({ id: `prj_${attempts.length}` }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = new StoryCoreClient({ baseUrl: `http://127.0.0.1:${server.address().port}`, apiKey: "a-key" });
  const made = [];
  try {
    for (let n = 0; n < 10; n++) {
      made.push((await client.projects.create({ name: "x" })).id);
      await closed;
    }
  } finally {
    await client.close();
    server.close();
  }
  assert.deepEqual(made, Array.from({ length: 10 }, (_, n) => `prj_${n + 1}`));
  assert.deepEqual([...new Set(attempts)], ["1"]);
});

test("a worker that is ended takes its calls with it, and nobody else's", async () => {
  await platform.fault({ path: "/api/projects/never", times: 0, action: { stall: true } });
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    const client = new (require(workerData.path).StoryCoreClient)(workerData.options);
    for (let n = 0; n < 20; n++) client.projects.get("never").catch(() => {});
    client.projects.list().then(() => parentPort.postMessage("called"));`;
  const options = { baseUrl: platform.url, apiKey: platform.apiKey };
  const client = platform.client();
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(code, { eval: true, workerData: { path: require.resolve("storycore"), options } });
    await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    await worker.terminate();
    assert((await client.projects.list()).pagination);
  }
  await platform.clearFaults();
  await client.close();
});

test("a worker that is ended leaves no request behind", async () => {
  const open = new Set();
  const asked = new Map();
  const server = createServer((request) => {
    request.resume();
    request.socket.setTimeout(0);
    open.add(request.socket.once("close", () => open.delete(request.socket)));
    asked.get(open.size)?.();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const code = `const { workerData } = require("node:worker_threads");
    const client = new (require(workerData.path).StoryCoreClient)(workerData.options);
    for (let n = 0; n < workerData.reads; n++) client.projects.get("never").catch(() => {});
    for (let n = 0; n < workerData.uploads; n++) client.media.upload(Buffer.alloc(1000), { fileName: "a.mp4" }).catch(() => {});
    (async () => {
      const sources = Array.from({ length: workerData.many }, () => ({ source: Buffer.alloc(1000), fileName: "a.mp4" }));
      for await (const _ of client.media.uploadAll(sources));
    })();`;
  const workerData = { path: require.resolve("storycore"), options: { baseUrl: `http://127.0.0.1:${server.address().port}`, apiKey: "a-key" } };
  try {
    // The first alone is the one that the worker's own event loop waits for.
    for (const [reads, uploads, many] of [[1, 0, 0], [5, 0, 0], [0, 1, 0], [0, 0, 2], [10, 5, 3]]) {
      const all = new Promise((resolve) => asked.set(reads + uploads + many, resolve));
      const worker = new Worker(code, { eval: true, workerData: { ...workerData, reads, uploads, many } });
      await Promise.race([all, once(worker, "error").then(([error]) => assert.fail(error))]);
      await worker.terminate();
      for (let wait = 0; open.size > 0; wait++) {
        assert(wait < 500, `${open.size} of ${reads} reads and ${uploads + many} uploads go on when their worker has ended`);
        await sleep(10);
      }
    }
  } finally {
    for (const socket of open) socket.destroy();
    server.close();
  }
});

test("a signal ends a call with its reason, and its request", { timeout: 60_000 }, async () => {
  await platform.fault({ path: "/api/projects/never", times: 0, action: { stall: true } });
  const client = platform.client();
  const abort = new AbortController();
  const reason = { any: "thing" };
  const asked = async () => (await platform.requests()).length;
  const earlier = await asked();
  const call = client.projects.get("never", { signal: abort.signal });
  const rejected = call.then(assert.fail, (error) => error);
  while ((await asked()) === earlier) await sleep(5);
  abort.abort(reason);
  assert.equal(await rejected, reason);
  const before = await asked();
  assert.equal(await client.projects.get("never", { signal: abort.signal }).then(assert.fail, (error) => error), reason);
  assert.equal(await asked(), before, "nothing is sent for a signal that was aborted before");
  await assert.rejects(client.projects.get("never", { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
  await assert.rejects(client.projects.get("never", { signal: {} }), TypeError);
  await platform.clearFaults();
  await client.close();
});

test("a signal may be used for many calls at a time, and has no listeners left of them", async () => {
  const { getEventListeners } = require("node:events");
  const client = platform.client();
  const { signal } = new AbortController();
  const warned = [];
  process.on("warning", (warning) => warned.push(warning));
  await Promise.all(Array.from({ length: 30 }, () => client.projects.list({}, { signal })));
  await client.projects.get("prj_none", { signal }).catch(() => {});
  for await (const _ of client.projects.list({}, { signal })) break;
  assert.equal(getEventListeners(signal, "abort").length, 0);
  await new Promise(setImmediate);
  assert.deepEqual(warned, [], "Node takes many listeners of one signal for a leak");
  await client.close();
});

test("waiting for a job tells of it, and stops with its signal or its time", async () => {
  const client = platform.client();
  const input = await client.media.upload(Buffer.from("no film"), { fileName: "a.mp4" });
  const job = await client.jobs.create({ type: "probe", parameters: { input: input.id } });
  const told = [];
  const ended = await client.jobs.wait(job.id, { onProgress: (job) => told.push(job.id) }).catch((error) => error.job);
  assert.equal(ended.id, job.id);
  assert(told.length > 0 && told.every((id) => id === job.id));
  const body = '{"id":"job_x","status":"processing","progress":7}';
  await platform.fault({ path: "/api/jobs/job_x/events", times: 0, action: { status: 404 } });
  await platform.fault({ path: "/api/jobs/job_x", times: 0, action: { status: 200, body } });
  // On a busy machine the job may not have been seen by then.
  let late;
  for (let timeout = 100; late?.job.progress == null && timeout < 20_000; timeout *= 3) {
    late = await client.jobs.wait("job_x", { timeout }).then(assert.fail, (error) => error);
    assert(late instanceof WaitTimeoutError);
  }
  assert.equal(late.job.progress, 7);
  await assert.rejects(client.jobs.wait("job_x", { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
  await platform.clearFaults();
  await platform.fault({ path: "/api/jobs/job_x*", times: 0, action: { status: 200, body: '{"id":"job_x","status":"cancelled"}' } });
  await assert.rejects(client.jobs.wait("job_x"), JobCancelledError);
  await platform.clearFaults();
  await client.close();
});

test("a function of the caller's that throws takes nobody's answer", async () => {
  const text = `const { StoryCoreClient } = require("storycore");
    const client = StoryCoreClient.fromEnv();
    process.on("uncaughtException", (error) => console.log("uncaught", error.message));
    const upload = (options) => client.media.upload(Buffer.from("x"), { fileName: "a.txt", ...options }).then((asset) => console.log(asset.status));
    const mine = () => { throw new Error("mine"); };
    upload({ onProgress: mine }).catch((error) => console.log("rejected", error.message));
    upload();
    const logger = { debug: mine, info: mine, warn: mine, error: mine };
    StoryCoreClient.fromEnv({ logger }).projects.list().then(() => console.log("listed"));`;
  const said = [...new Set((await program(text)).split("\n"))].sort();
  assert.deepEqual(said, ["listed", "ready", "rejected mine", "uncaught mine"]);
});
