// Calls that come one after another: on Linux, Node's own event loop waits for each answer. Nobody may notice but by its speed.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { once } = require("node:events");
const { readdirSync, readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { after, before, test } = require("node:test");
const { setTimeout: sleep } = require("node:timers/promises");
const { promisify } = require("node:util");
const { Worker } = require("node:worker_threads");
const { APITimeoutError, StoryCoreClient } = require("storycore");

const PROJECT = JSON.stringify({ id: "prj_1" });
let server;
let baseUrl;
/** What the server waits for before it answers for "later". */
let held = Promise.resolve();
/** What the server does with one path. */
const answers = {
  "/api/projects/never": () => {},
  "/api/projects/later": (_, response) => held.then(() => response.end(PROJECT)),
  "/api/projects/large": (_, response) => response.end(JSON.stringify({ id: "prj_1", description: "é".repeat(2_000_000) })),
};
let hanging = [];

before(async () => {
  server = createServer((request, response) => {
    request.resume();
    hanging.push(request);
    (answers[request.url] ?? ((_, response) => response.end(PROJECT)))(request, response);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  baseUrl = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/** A client that made some calls one after another. */
async function warm(options) {
  const client = new StoryCoreClient({ baseUrl, apiKey: "a-key", ...options });
  for (let n = 0; n < 5; n++) await client.projects.get("prj_1");
  return client;
}

/** How often the client's threads went to sleep so far. */
function sleeps() {
  const folder = `/proc/self/task`;
  const read = (thread, file) => readFileSync(`${folder}/${thread}/${file}`, "utf8");
  const own = readdirSync(folder).filter((thread) => read(thread, "comm").startsWith("storycore-"));
  return own.reduce((sum, thread) => sum + Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(read(thread, "status"))[1]), 0);
}

test("calls one after another wake no thread", { skip: process.platform !== "linux" && "it is so on Linux alone" }, async () => {
  const client = await warm();
  const before = sleeps();
  for (let n = 0; n < 500; n++) await client.projects.get("prj_1");
  const slept = sleeps() - before;
  assert(slept < 250, `${slept} times in 500 calls`);
  await client.close();
});

test("a second call comes while a first one is waited for", async () => {
  const client = await warm();
  for (let n = 0; n < 3; n++) {
    let release;
    held = new Promise((resolve) => (release = resolve));
    const later = client.projects.get("later");
    await sleep(n);
    assert.equal((await client.projects.get("prj_1")).id, "prj_1");
    release();
    assert.equal((await later).id, "prj_1");
  }
  await client.close();
});

test("an answer that is long arrives whole", async () => {
  const client = await warm();
  for (let n = 0; n < 3; n++) assert.equal((await client.projects.get("large")).description.length, 2_000_000);
  await client.close();
});

test("an answer is read while JavaScript does something else", async () => {
  const client = await warm();
  const call = client.projects.get("later");
  const until = performance.now() + 300;
  while (performance.now() < until);
  assert.equal((await call).id, "prj_1");
  await client.close();
});

test("a call that is alone has its timeout, too", async () => {
  const client = await warm({ maxRetries: 0 });
  await assert.rejects(client.projects.get("never", { timeout: 100 }), APITimeoutError);
  assert.equal((await client.projects.get("prj_1")).id, "prj_1");
  await client.close();
});

test("a call that is alone is tried again", async () => {
  const client = await warm();
  let attempts = 0;
  answers["/api/projects/busy"] = (_, response) => {
    attempts += 1;
    if (attempts < 3) response.writeHead(503, { "retry-after": "0" }).end("{}");
    else response.end(PROJECT);
  };
  assert.equal((await client.projects.get("busy")).id, "prj_1");
  assert.equal(attempts, 3);
  await client.close();
});

test("a call that is alone can be aborted, and its connection ends", async () => {
  const client = await warm();
  hanging = [];
  const abort = new AbortController();
  const call = client.projects.get("never", { signal: abort.signal });
  while (hanging.length === 0) await sleep(1);
  const closed = once(hanging[0].socket, "close");
  abort.abort(new Error("enough"));
  await assert.rejects(call, { message: "enough" });
  await closed;
  assert.equal((await client.projects.get("prj_1")).id, "prj_1");
  await client.close();
});

/** What a program writes that makes calls one after another, and ends by itself within twenty seconds. */
async function program(text) {
  const whole = `const client = new (require("storycore").StoryCoreClient)({ baseUrl: "${baseUrl}", apiKey: "a-key" });
    const calls = async (count) => { for (let n = 0; n < count; n++) await client.projects.get("prj_1"); };
    (async () => { await calls(5); ${text} })();`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--eval", whole], { cwd: __dirname, timeout: 20_000 });
  return stdout.trim().split("\n");
}

test("a program ends after its last call, and with one under way when it says so", async () => {
  assert.deepEqual(await program(`console.log("made");`), ["made"]);
  assert.deepEqual(await program(`client.projects.get("never"); setTimeout(() => { console.log("out"); process.exit(0); }, 50);`), ["out"]);
  assert.deepEqual(await program(`setTimeout(() => console.log("idle"), 100);`), ["idle"]);
});

test("what is thrown behind an answer is the program's, and the calls after it go on", async () => {
  const said = await program(`process.on("uncaughtException", (error) => console.log("uncaught", error.message));
    process.on("unhandledRejection", (error) => console.log("unhandled", error.message));
    await calls(1);
    queueMicrotask(() => { throw new Error("mine"); });
    await calls(1);
    client.projects.get("prj_1").then(() => { throw new Error("too"); });
    await calls(3);
    console.log("end");`);
  assert.deepEqual(said.toSorted(), ["end", "uncaught mine", "unhandled too"]);
});

test("microtasks and ticks run behind each answer, in their order", async () => {
  const said = await program(`await calls(1);
    process.nextTick(() => console.log("tick"));
    queueMicrotask(() => console.log("microtask"));
    setImmediate(() => console.log("immediate"));
    await calls(2);`);
  assert.deepEqual(said.slice(0, 2), ["microtask", "tick"]);
  assert(said.includes("immediate"));
});

test("workers come and go in the middle of calls, and the main thread's go on", async () => {
  const code = `const { parentPort, workerData } = require("node:worker_threads");
    const client = new (require(workerData.path).StoryCoreClient)(workerData.options);
    (async () => {
      for (let n = 0; n < 20; n++) await client.projects.get("prj_1");
      parentPort.postMessage("warm");
      if (workerData.ends) return;
      for (;;) await client.projects.get(workerData.id);
    })();`;
  const client = await warm();
  for (const [ends, id] of [[true], [false, "prj_1"], [false, "never"]]) {
    const workerData = { path: require.resolve("storycore"), options: { baseUrl, apiKey: "a-key" }, ends, id };
    const worker = new Worker(code, { eval: true, workerData });
    const ended = once(worker, "exit");
    await once(worker, "message");
    for (let n = 0; n < 20; n++) assert.equal((await client.projects.get("prj_1")).id, "prj_1");
    if (!ends) await worker.terminate();
    await ended;
    for (let n = 0; n < 20; n++) assert.equal((await client.projects.get("prj_1")).id, "prj_1");
  }
  await client.close();
});

test("a connection that ends between two calls costs none", async () => {
  const client = await warm();
  for (let n = 0; n < 3; n++) {
    server.closeIdleConnections();
    await sleep(n * 30);
    assert.equal((await client.projects.get("prj_1")).id, "prj_1");
  }
  await client.close();
});
