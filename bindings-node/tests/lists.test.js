// Lists and job events as `for await`: every object once, the next page ahead, and nothing left behind when the loop is left.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, beforeEach, test } = require("node:test");
const { AuthenticationError, DecodeError, InvalidRequestError, StoryCoreClient } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

let platform;
let client;

before(async () => {
  platform = await LocalPlatform.start();
  client = platform.client();
  await Promise.all(Array.from({ length: 25 }, (_, number) => client.projects.create({ name: `p${number}` })));
});

after(async () => {
  await client?.close();
  await platform?.stop();
});

beforeEach(() => platform.clearRequests());

test("a list is every object of every page", async () => {
  const names = new Set();
  for await (const project of client.projects.list({ pageSize: 10 })) names.add(project.name);
  assert.equal(names.size, 25);
  assert.equal((await platform.requests({ path: "/api/projects" })).length, 3);
});

test("a list is a promise of its first page as well", async () => {
  const list = client.projects.list({ pageSize: 10 });
  assert.equal((await list).data.length, 10);
  assert.equal((await list.then((page) => page.pagination.total)), 25);
  assert.equal((await platform.requests({ path: "/api/projects" })).length, 1, "it is asked for once");
});

test("pages come one after another, the next one ahead", async () => {
  const lengths = [];
  for await (const page of client.projects.list({ pageSize: 10 }).pages()) lengths.push(page.data.length);
  assert.deepEqual(lengths, [10, 10, 5]);
  const pages = client.projects.pages({ pageSize: 10 });
  await pages.next();
  const until = Date.now() + 60_000;
  let seen = 0;
  while (seen < 2 && Date.now() < until) seen = (await platform.requests({ path: "/api/projects" })).length - 3;
  assert(seen >= 2, "the next page was asked for before it was wanted");
  await pages.return();
});

test("maxItems ends a list, also where a page has more", async () => {
  let count = 0;
  for await (const _ of client.projects.items({ maxItems: 12, pageSize: 10 })) count += 1;
  assert.equal(count, 12);
});

test("many lists at a time have their own objects each", async () => {
  const read = async (number) => {
    const filters = { pageSize: 1 + (number % 7), maxItems: 1 + number, sort: number % 2 === 0 ? "name.asc" : "name.desc" };
    if (number % 3 === 0) return [(await client.projects.list(filters)).data, filters.pageSize];
    const objects = [];
    for await (const project of client.projects.list(filters)) objects.push(project);
    return [objects, Math.min(filters.maxItems, 25)];
  };
  const names = Array.from({ length: 25 }, (_, number) => `p${number}`).sort();
  const all = await Promise.all(Array.from({ length: 40 }, (_, number) => read(number)));
  for (const [number, [objects, count]] of all.entries()) {
    const expected = number % 2 === 0 ? names : names.toReversed();
    assert.deepEqual(objects.map(({ name }) => name), expected.slice(0, count), `the list with the number ${number}`);
  }
});

test("leaving the loop ends it", async () => {
  for await (const project of client.projects.list({ pageSize: 1 })) {
    assert(project.id);
    break;
  }
});

test("a failure in the middle is thrown by the loop", async () => {
  await platform.fault({ path: "/api/projects", nth: 2, action: { status: 401 } });
  let count = 0;
  await assert.rejects(async () => {
    for await (const _ of client.projects.list({ pageSize: 10 })) count += 1;
  }, AuthenticationError);
  assert.equal(count, 10);
  await assert.rejects(client.projects.items({ sort: "nonsense" }).next(), InvalidRequestError);
});

test("a page that names its objects twice fails alone, however the name is spelled", async () => {
  const data = JSON.stringify(Array.from({ length: 5 }, (_, number) => ({ id: `prj_${number}` })));
  for (const again of ["data", "d\\u0061ta"]) {
    const body = `{"data":${data},"${again}":[1]}`;
    await platform.fault({ path: "/api/projects", action: { status: 200, body } });
    await assert.rejects(client.projects.list(), DecodeError);
    await platform.fault({ path: "/api/projects", action: { status: 200, body } });
    await assert.rejects(client.projects.list().pages().next(), DecodeError);
  }
  assert((await client.projects.list()).pagination);
});

test("a signal ends a loop with its reason", async () => {
  const abort = new AbortController();
  const reason = new Error("enough");
  await assert.rejects(async () => {
    for await (const _ of client.projects.list({ pageSize: 1 }, { signal: abort.signal })) abort.abort(reason);
  }, reason);
});

test("whoever waits for a job's next event can be sent home", { timeout: 30_000 }, async () => {
  const job = await client.jobs.create({ type: "probe", parameters: { input: (await client.media.upload(Buffer.from("text"), { fileName: "a.txt" })).id } });
  const path = `/api/jobs/${job.id}/events`;
  await platform.fault({ path, times: 0, action: { delay_ms: 60_000 } });
  const events = client.jobs.events(job.id);
  const next = events.next();
  while ((await platform.requests({ path })).length === 0);
  assert.deepEqual(await events.return(), { done: true, value: undefined });
  assert.deepEqual(await next, { done: true, value: undefined });
  assert.deepEqual(await events.next(), { done: true, value: undefined });
  await platform.clearFaults();
});

test("leaving a job's events ends the request, however many wait for them", { timeout: 30_000 }, async () => {
  let asked;
  let ended;
  const isAsked = new Promise((resolve) => (asked = resolve));
  const isEnded = new Promise((resolve) => (ended = resolve));
  const silent = createServer((_request, response) => {
    response.once("close", ended);
    asked();
  });
  await once(silent.listen(0, "127.0.0.1"), "listening");
  const other = new StoryCoreClient({ baseUrl: `http://127.0.0.1:${silent.address().port}`, apiKey: "key" });
  try {
    const events = other.jobs.events("job_1");
    const waiting = [events.next(), events.next(), events.next()];
    await isAsked;
    const over = { done: true, value: undefined };
    assert.deepEqual(await events.return(), over);
    assert.deepEqual(await Promise.all(waiting), [over, over, over]);
    await isEnded;
  } finally {
    await other.close();
    silent.closeAllConnections();
    silent.close();
  }
});

test("what happens to a job is a loop that ends with it", async () => {
  const job = await client.jobs.create({ type: "probe", parameters: { input: (await client.media.upload(Buffer.from("text"), { fileName: "a.txt" })).id } });
  const types = [];
  for await (const event of client.jobs.events(job.id)) {
    assert.equal(event.job.id, job.id);
    types.push(event.type);
  }
  assert.match(types.at(-1), /^job\.(completed|failed)$/);
});
