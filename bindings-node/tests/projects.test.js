// Projects from JavaScript against the local platform: objects are the wire's JSON, and every failure has its class.
"use strict";

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const storycore = require("storycore");
const { LocalPlatform } = require("storycore/testing");

let platform;
let client;

before(async () => {
  platform = await LocalPlatform.start({ strict: true });
  client = platform.client();
});

after(async () => {
  await client?.close();
  await platform?.stop();
});

test("what was created can be fetched again, field for field", async () => {
  const made = await client.projects.create({ name: "Film — é 🎬", start_date: "2026-01-31", settings: { fps: 25, deep: [{ a: 1 }] } });
  assert.equal(made.name, "Film — é 🎬");
  assert.equal(made.start_date, "2026-01-31");
  assert.deepEqual(made.settings, { fps: 25, deep: [{ a: 1 }] });
  assert.deepEqual(await client.projects.get(made.id), made);
});

test("fields and values that this version does not know stay", async () => {
  const body = JSON.stringify({ id: "prj_x", status: "frozen", mood: { a: [1, null] } });
  await platform.fault({ path: "/api/projects/prj_x", action: { status: 200, body } });
  assert.deepEqual(await client.projects.get("prj_x"), JSON.parse(body));
});

test("an object in an envelope is taken out of it", async () => {
  await platform.fault({ path: "/api/projects/prj_x", action: { status: 200, body: '{"data": {"id": "prj_x", "data": 1}}' } });
  assert.deepEqual(await client.projects.get("prj_x"), { id: "prj_x", data: 1 });
});

test("a page of a list has its objects and where it stands", async () => {
  const name = "on a page";
  for (let number = 0; number < 3; number++) await client.projects.create({ name });
  const page = await client.projects.list({ name, pageSize: 2, sort: "created_at.asc" });
  assert.equal(page.data.length, 2);
  assert.deepEqual(page.pagination, { total: 3, limit: 2, offset: 0, has_more: true });
});

test("a failure has the class of its kind, and what the platform said", async () => {
  const error = await client.projects.get("prj_none").then(assert.fail, (error) => error);
  assert(error instanceof storycore.NotFoundError && error instanceof storycore.StoryCoreError && error instanceof Error);
  assert.equal(error.name, "NotFoundError");
  const { kind, status, code, attempts, retryable } = error;
  assert.deepEqual({ kind, status, code, attempts, retryable }, { kind: "not_found", status: 404, code: "not_found", attempts: 1, retryable: false });
  assert.match(error.requestId, /^req_/);
  assert.match(error.body, /prj_none/);
});

test("a field that is wrong, missing or unknown is named", async () => {
  for (const [given, param] of [
    [{ name: "" }, "name"],
    [{}, "name"],
    [{ name: 7 }, "name"],
    [{ name: "x", nmae: "y" }, "nmae"],
    [{ name: "x", start_date: "soon" }, "start_date"],
  ]) {
    await assert.rejects(client.projects.create(given), (error) => error instanceof storycore.InvalidRequestError && error.param === param);
  }
});

test("a connection that breaks keeps its cause", async () => {
  const nobody = new storycore.StoryCoreClient({ apiKey: "key", baseUrl: "http://127.0.0.1:9", maxRetries: 0 });
  await assert.rejects(nobody.projects.list(), (error) => error instanceof storycore.APIConnectionError && error.cause instanceof Error);
});

test("settings that cannot work are told when the client is made", () => {
  for (const options of [
    undefined,
    { apiKey: "x", baseUrl: "no url" },
    { apiKey: "x", baseUrl: "http://example.com" },
    { apiKey: "x\ny" },
    { apiKey: "x", timeout: -1 },
    { apiKey: "x", jwt: { secret: "s", subject: "u", permissions: [] } },
    "x",
  ]) {
    assert.throws(() => new storycore.StoryCoreClient(options), storycore.ConfigError);
  }
  assert.throws(() => new storycore.StoryCoreClient({ apikey: "x" }), { param: "apikey" });
});

test("no secret is in an error or in what is printed of a client", async () => {
  const secret = "a-key-that-nobody-may-see";
  const wrong = platform.client({ apiKey: secret });
  const error = await wrong.projects.list().then(assert.fail, (error) => error);
  assert(error instanceof storycore.AuthenticationError);
  const { inspect } = require("node:util");
  assert(!(inspect(error, { showHidden: true }) + inspect(wrong, { showHidden: true, depth: 9 }) + error.stack).includes(secret));
  assert.throws(
    () => new storycore.StoryCoreClient({ apiKey: secret, timeout: secret }),
    (error) => !inspect(error, { showHidden: true }).includes(secret),
  );
});

test("both names of the documents are the one client", () => {
  assert.equal(storycore.StoryCoreSDK, storycore.StoryCoreClient);
});
