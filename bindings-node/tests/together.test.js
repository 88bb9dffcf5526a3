// Many calls at a time, which are handed to the native side together. Nobody may notice but by their speed.
"use strict";

const assert = require("node:assert/strict");
const { getEventListeners, once } = require("node:events");
const { readdirSync, readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { availableParallelism } = require("node:os");
const { after, before, test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { CallCancelledError, InvalidRequestError, NotFoundError, StoryCoreClient } = require("storycore");
const { NativeClient } = require("../lib/native.js");

const COUNT = 100;
let server;
let baseUrl;
/** The ids that were asked for, and those with this header. */
let asked = [];
/** Answers that are held back. */
let held = [];

before(async () => {
  server = createServer((request, response) => {
    request.resume();
    const id = decodeURIComponent(request.url.split("/").pop());
    asked.push([id, request.headers["x-number"]]);
    const answer = () => {
      response.statusCode = id.startsWith("none") ? 404 : 200;
      response.end(JSON.stringify({ id }));
    };
    if (id.startsWith("held")) held.push(answer);
    else answer();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  baseUrl = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

function open(options) {
  [asked, held] = [[], []];
  return new StoryCoreClient({ baseUrl, apiKey: "a-key", maxRetries: 0, ...options });
}

/** Numbers from 0 on, each made something of. */
function times(count, make) {
  return Array.from({ length: count }, (_, number) => make(number));
}

/** Waits until so many answers are held back. */
async function holds(count) {
  const until = Date.now() + 60_000;
  while (held.length < count && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(held.length, count);
}

test("each call has its own answer, and its own options", async () => {
  const client = open();
  for (let round = 0; round < 3; round++) {
    const get = async (number) => {
      const id = `${number % 7 === 0 ? "none" : "prj"}_${round}_${number}`;
      // A call that follows on another, from deeper down.
      const wrapped = async () => await client.projects.get(id, number % 2 === 0 ? { headers: { "x-number": `${number}` } } : undefined);
      return await wrapped().catch((error) => (assert(error instanceof NotFoundError), { id: `no ${id}` }));
    };
    const twice = async (number) => [(await get(number)).id, (await get(number + COUNT)).id];
    const ids = (await Promise.all(times(COUNT, twice))).flat().sort();
    const expected = times(2 * COUNT, (number) => (number % 7 === 0 ? `no none_${round}_${number}` : `prj_${round}_${number}`));
    assert.deepEqual(ids, expected.sort());
  }
  assert.equal(asked.length, 6 * COUNT);
  for (const [id, header] of asked) {
    const number = Number(id.split("_")[2]);
    assert.equal(header, number % 2 === 0 ? `${number}` : undefined);
  }
  await client.close();
});

test("with eight under way those of one turn are handed over together, sixteen at most", async () => {
  const client = open();
  const { start, startAll } = NativeClient.prototype;
  const handed = [];
  NativeClient.prototype.start = function (...given) {
    handed.push(1);
    return start.apply(this, given);
  };
  NativeClient.prototype.startAll = function (bridge, first, count, calls) {
    handed.push(count);
    return startAll.call(this, bridge, first, count, calls);
  };
  try {
    const alone = times(8, (number) => client.projects.get(`held_${number}`));
    assert.deepEqual(handed.splice(0), times(8, () => 1), "each at once");
    const more = times(41, (number) => client.projects.get(`held_${number + 8}`));
    assert.deepEqual(handed.splice(0), [16, 16], "as soon as so many are there");
    await holds(49);
    assert.deepEqual(handed.splice(0), [9], "what is left of the turn");
    const last = client.projects.get("held_49");
    await holds(50);
    let ended = 0;
    const all = [...alone, ...more, last];
    for (const call of all) call.then(() => (ended += 1));
    held.splice(0, 43).forEach((answer) => answer());
    while (ended < 43) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(handed.splice(0), [1], "one that comes by itself waits for no other");
    // Seven are under way.
    const few = client.projects.get("prj_1");
    assert.deepEqual(handed.splice(0), [1], "at once again");
    held.forEach((answer) => answer());
    assert.deepEqual((await Promise.all([few, ...all])).map(({ id }) => id), ["prj_1", ...times(50, (number) => `held_${number}`)]);
  } finally {
    Object.assign(NativeClient.prototype, { start, startAll });
    await client.close();
  }
});

test("what is wrong with one call is that one's alone", async () => {
  const client = open();
  let deep = 1;
  for (let n = 0; n < 500; n++) deep = [deep];
  const wrong = [
    [() => client.projects.create({ name: "x", budget: Number.NaN }), InvalidRequestError],
    [() => client.projects.create({ nmae: "x" }), InvalidRequestError],
    [() => client.projects.create({ name: "x", settings: { deep } }), Error],
    [() => client.projects.get("\ud800"), Error],
    [() => client.projects.get("prj_1", "no options"), Error],
    [() => client.projects.get("none"), NotFoundError],
  ];
  const calls = times(COUNT, (number) => {
    if (number < 20 || number % 3 > 0) return client.projects.get(`prj_${number}`).then(({ id }) => assert.equal(id, `prj_${number}`));
    const [make, expected] = wrong[(number / 3) % wrong.length | 0];
    return assert.rejects(make(), expected);
  });
  await Promise.all(calls);
  await client.close();
});

test("one that is aborted before it is handed over is not sent", async () => {
  const client = open();
  const first = times(10, (number) => client.projects.get(`held_${number}`));
  await holds(10);
  const [some, all] = [new AbortController(), new AbortController()];
  const kept = times(5, (number) => client.projects.get(`prj_${number}`, { signal: all.signal }));
  const gone = times(5, (number) => client.projects.get(`gone_${number}`, { signal: some.signal }));
  some.abort(new Error("not wanted"));
  for (const call of gone) await assert.rejects(call, (error) => error === some.signal.reason);
  assert.deepEqual((await Promise.all(kept)).map(({ id }) => id), times(5, (number) => `prj_${number}`));
  held.forEach((answer) => answer());
  await Promise.all(first);
  assert.deepEqual(asked.filter(([id]) => id.startsWith("gone")), []);
  await client.close();
});

test("one that is aborted while it is handed over, or soon after, ends with the reason", async () => {
  const client = open();
  for (let round = 0; round < 30; round++) {
    const calls = times(64, async (number) => {
      const abort = new AbortController();
      const call = client.projects.get(`prj_${number}`, { signal: abort.signal });
      for (let turn = 0; turn < number % 8; turn++) await null;
      if (number % 16 === 15) await new Promise(setImmediate);
      abort.abort();
      await call.then(({ id }) => assert.equal(id, `prj_${number}`), (error) => assert.equal(error, abort.signal.reason));
    });
    await Promise.all(calls);
  }
  const { id } = await client.projects.get("prj_last");
  assert.equal(id, "prj_last");
  await client.close();
});

test("calls that cannot be handed over say why, and leave nothing on their signal", async () => {
  const client = open();
  const first = times(10, (number) => client.projects.get(`held_${number}`));
  await holds(10);
  const abort = new AbortController();
  const { startAll } = NativeClient.prototype;
  NativeClient.prototype.startAll = () => {
    throw new Error("no thread can be had");
  };
  try {
    // As many as are handed over as soon as the last of them is there.
    const calls = times(16, (number) => client.projects.get(`prj_${number}`, { signal: abort.signal }));
    for (const call of calls) await assert.rejects(call, /no thread can be had/);
  } finally {
    NativeClient.prototype.startAll = startAll;
  }
  assert.deepEqual(getEventListeners(abort.signal, "abort"), []);
  held.forEach((answer) => answer());
  await Promise.all(first);
  await client.close();
});

test("closing a client ends what it has gathered, and another's goes on", async () => {
  const [client, other] = [open(), open()];
  const first = times(10, (number) => other.projects.get(`prj_${number}`));
  const ended = times(5, () => client.projects.get("ended"));
  const calls = times(5, (number) => other.projects.get(`other_${number}`));
  const derived = times(5, () => client.withOptions({ timeout: 5000 }).projects.get("ended"));
  await client.close();
  for (const call of [...ended, ...derived]) await assert.rejects(call, CallCancelledError);
  assert.deepEqual((await Promise.all(calls)).map(({ id }) => id), times(5, (number) => `other_${number}`));
  await Promise.all(first);
  assert.deepEqual(await Promise.all(times(3, (n) => other.projects.get(`prj_${n}`).then(({ id }) => id))), ["prj_0", "prj_1", "prj_2"]);
  await other.close();
});

test("a worker that ends with calls gathered and under way takes nothing with it", async () => {
  const client = open();
  const program = `
    const { workerData } = require("node:worker_threads");
    const { StoryCoreClient } = require(workerData.storycore);
    const client = new StoryCoreClient({ baseUrl: workerData.baseUrl, apiKey: "a-key" });
    for (let number = 0; number < 40; number++) client.projects.get("held_" + number).catch(() => {});
    setImmediate(() => {
      for (let number = 0; number < 40; number++) client.projects.get("held_more_" + number).catch(() => {});
      process.exit(0);
    });`;
  const worker = new Worker(program, { eval: true, workerData: { storycore: require.resolve("storycore"), baseUrl } });
  const [code] = await once(worker, "exit");
  assert.equal(code, 0);
  const ids = await Promise.all(times(COUNT, async (number) => (await client.projects.get(`prj_${number}`)).id));
  assert.deepEqual(ids, times(COUNT, (number) => `prj_${number}`));
  await client.close();
});

test("many calls are spread over two threads, and a third one where there are processors for it", { skip: process.platform !== "linux" && "threads have names on Linux" }, async () => {
  const client = open();
  const calls = times(24, (number) => client.projects.get(`held-${number}`));
  await holds(24);
  const names = readdirSync("/proc/self/task").map((thread) => readFileSync(`/proc/self/task/${thread}/comm`, "utf8").trim());
  const own = names.filter((name) => name.startsWith("storycore-")).sort();
  assert.deepEqual(own, times(availableParallelism() > 2 ? 3 : 2, (number) => `storycore-${number}`));
  held.forEach((answer) => answer());
  await Promise.all(calls);
  await client.close();
});
