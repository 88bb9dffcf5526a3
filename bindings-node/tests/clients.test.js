// A client of its own or made of another one: what it shares, what its end ends, and classes of the caller's made of it.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, test } = require("node:test");
const { CallCancelledError, StoryCoreClient } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

let platform;

before(async () => {
  platform = await LocalPlatform.start();
});

after(() => platform?.stop());

test("a closed client ends what was under way, and makes no more calls", async () => {
  await platform.fault({ path: "/api/projects/never", times: 0, action: { stall: true } });
  const client = platform.client();
  const other = platform.client();
  const calls = [client.projects.get("never"), client.withOptions({ maxRetries: 0 }).projects.get("never")];
  const theirs = other.projects.list();
  await client[Symbol.asyncDispose]();
  for (const call of calls) await assert.rejects(call, CallCancelledError);
  await assert.rejects(client.projects.list(), CallCancelledError);
  assert((await theirs).pagination);
  await client.close();
  await platform.clearFaults();
  await other.close();
});

test("closing a client that withOptions gave ends its own calls, and nobody else's", async () => {
  await platform.fault({ path: "/api/projects/never", times: 0, action: { stall: true } });
  const client = platform.client();
  const derived = client.withOptions({ maxRetries: 0 });
  const below = derived.withOptions({ headers: { "x-a": "1" } });
  const beside = client.withOptions({});
  const call = (of) => of.projects.get("never").then(assert.fail, (error) => error);
  const [mine, theirs] = [[derived, below].map(call), [client, beside].map(call)];
  await derived.close();
  for (const error of await Promise.all(mine)) assert(error instanceof CallCancelledError);
  for (const closed of [derived, below]) await assert.rejects(closed.projects.list(), CallCancelledError);
  for (const open of [client, beside]) assert((await open.projects.list()).pagination);
  await client.close();
  for (const error of await Promise.all(theirs)) assert(error instanceof CallCancelledError);
  await assert.rejects(beside.projects.list(), CallCancelledError);
  await platform.clearFaults();
});

test("whatever became of the clients between them, a client's end is the end of those made of it", async () => {
  const client = platform.client();
  const closed = client.withOptions({});
  const below = closed.withOptions({}).withOptions({});
  const alone = client.withOptions({});
  await alone.close();
  assert((await below.projects.list()).pagination);
  await closed.close();
  const late = below.withOptions({});
  for (const one of [below, late]) await assert.rejects(one.projects.list(), CallCancelledError);
  const open = client.withOptions({}).withOptions({});
  assert((await open.projects.list()).pagination);
  await client.close();
  for (const one of [open, late, open.withOptions({})]) await assert.rejects(one.projects.list(), CallCancelledError);
});

test("a client may be given other options any number of times", async () => {
  const client = platform.client();
  let latest = client;
  for (let n = 0; n < 20_000; n++) latest = latest.withOptions({ headers: { "x-a": `${n}` } });
  assert((await latest.projects.list()).pagination);
  const call = latest.projects.get("prj_none");
  await client.close();
  await assert.rejects(call, CallCancelledError);
  await assert.rejects(latest.projects.list(), CallCancelledError);
});

test("a subclass with a constructor of its own shares its connections with those made of it", async () => {
  const ports = new Set();
  const server = createServer((request, response) => {
    ports.add(request.socket.remotePort);
    request.resume().on("end", () => response.end('{"id":"prj_1"}'));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  class Ours extends StoryCoreClient {
    #team = "cut";
    floor = 1;
    constructor({ floor = 2 }) {
      super({ apiKey: "a-key", baseUrl });
      this.floor = floor;
    }
    get team() {
      return this.#team;
    }
  }
  const environment = { STORYCORE_API_KEY: "a-key", STORYCORE_BASE_URL: baseUrl, STORYCORE_PLATFORM: "agents" };
  try {
    const client = new Ours({ floor: 3 });
    assert.equal((await client.projects.get("prj_1")).id, "prj_1");
    const derived = client.withOptions({ maxRetries: 0 });
    assert.deepEqual([derived instanceof Ours, derived.team, derived.floor], [true, "cut", 3]);
    assert.equal((await derived.projects.get("prj_1")).id, "prj_1");
    assert.equal(ports.size, 1, "both clients' calls go through the same connection");
    await client.close();
    await assert.rejects(derived.projects.get("prj_1"), CallCancelledError);
    Object.assign(process.env, environment);
    const ofEnvironment = Ours.fromEnv();
    assert.deepEqual([ofEnvironment.platform, ofEnvironment.team, ofEnvironment.floor], ["agents", "cut", 2]);
    await ofEnvironment.close();
  } finally {
    for (const name in environment) delete process.env[name];
    server.closeAllConnections();
    server.close();
  }
});

test("a subclass may make other clients before it is one itself", async () => {
  const own = { apiKey: "a-key-of-its-own", baseUrl: "http://127.0.0.1:9" };
  class Ours extends StoryCoreClient {
    constructor(options) {
      const other = new StoryCoreClient({ ...own, platform: "agents" });
      const derived = other.withOptions({ maxRetries: 0 });
      super({ ...own, ...options });
      this.others = [other, derived];
    }
  }
  const check = async (client, of) => {
    assert(client instanceof Ours);
    assert.deepEqual(client.others.map(({ platform }) => platform), ["agents", "agents"]);
    assert((await client.projects.list()).pagination, "it has the connections and the credentials that it was given");
    await client.close();
    if (of === undefined) return;
    await assert.rejects(client.projects.list(), CallCancelledError);
    assert((await of.projects.list()).pagination, "closing it closes no other");
  };
  const client = new Ours({ baseUrl: platform.url, apiKey: platform.apiKey });
  await check(client.withOptions({ maxRetries: 0 }), client);
  await check(client);
  const environment = platform.environment();
  try {
    Object.assign(process.env, environment);
    await check(Ours.fromEnv());
  } finally {
    for (const name in environment) delete process.env[name];
  }
});

test("options of one client and of one call come together", async () => {
  await platform.clearRequests();
  const client = platform.client({ headers: { "x-a": "1" }, appInfo: { name: "cutter", version: "2.0" } });
  const with_b = client.withOptions({ headers: { "x-b": "2" }, idempotencyKey: "mine" });
  await with_b.projects.create({ name: "x" }, { headers: { "x-c": "3" } });
  const [{ headers }] = await platform.requests();
  assert.deepEqual([headers["x-a"], headers["x-b"], headers["x-c"], headers["idempotency-key"]], ["1", "2", "3", "mine"]);
  assert.match(headers["user-agent"], /^cutter\/2\.0 storycore\/\S+ \(node; /);
  await client.close();
});

test("a client is made and not printed with its key", () => {
  const client = new StoryCoreClient({ apiKey: "secret-of-mine", baseUrl: "http://127.0.0.1:9" });
  assert(!require("node:util").inspect(client, { showHidden: true, depth: 9 }).includes("secret-of-mine"));
  assert(!JSON.stringify(client).includes("secret-of-mine"));
});
