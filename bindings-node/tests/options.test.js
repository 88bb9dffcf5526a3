// What is given to a call: options of the client's and of the call's own, and values that JSON has no word for.
"use strict";

const assert = require("node:assert/strict");
const { after, afterEach, before, test } = require("node:test");
const { APITimeoutError, AuthenticationError, ConfigError, InvalidRequestError, StoryCoreClient } = require("storycore");
const { Webhook } = require("storycore/webhooks");
const { LocalPlatform } = require("storycore/testing");

const bytes = Buffer.alloc(100_000, 7);
let platform, client;

before(async () => {
  platform = await LocalPlatform.start();
  client = platform.client();
});

afterEach(() => platform.clearFaults());

after(async () => {
  await client?.close();
  await platform?.stop();
});

/** Each way to upload, which ends with what came of the one file. */
const ways = {
  upload: (client, options) => client.media.upload(bytes, { fileName: "film.mp4", ...options }),
  uploadReport: (client, options) => client.media.uploadReport(bytes, { fileName: "film.mp4", ...options }),
  uploadAll: async (client, options) => {
    for await (const { asset, error } of client.media.uploadAll([{ source: bytes, fileName: "film.mp4" }], options)) {
      if (error !== undefined) throw error;
      return asset;
    }
  },
};

const stalled = () => platform.fault({ path: "/api/assets/upload", times: 0, action: { delay_ms: 60_000 } });

test("a signal of withOptions ends an upload with its reason", { timeout: 50_000 }, async () => {
  await stalled();
  for (const [name, upload] of Object.entries(ways)) {
    const abort = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => abort.abort(reason), 200);
    const error = await upload(client.withOptions({ signal: abort.signal })).then(assert.fail, (error) => error);
    assert.equal(error, reason, name);
  }
});

test("a timeout of withOptions bounds an upload, and one of its own comes before it", { timeout: 50_000 }, async () => {
  await stalled();
  for (const [name, upload] of Object.entries(ways)) {
    await assert.rejects(upload(client.withOptions({ timeout: 300 })), APITimeoutError, name);
    await assert.rejects(upload(client.withOptions({ timeout: 60_000 }), { timeout: 300 }), APITimeoutError, name);
  }
  const { id } = await client.projects.create({ name: "Film" });
  await platform.fault({ path: `/api/projects/${id}`, action: { delay_ms: 60_000 } });
  const hasty = client.withOptions({ timeout: 300 }).withOptions({ timeout: undefined, maxRetries: 0 });
  await assert.rejects(hasty.projects.get(id, { timeout: undefined }), APITimeoutError);
});

test("a signal of withOptions ends a content stream that is being read", { timeout: 50_000 }, async () => {
  const { id } = await client.media.upload(Buffer.alloc(4_000_000, 7), { fileName: "film.mp4" });
  const abort = new AbortController();
  const reason = new Error("enough");
  const content = await client.withOptions({ signal: abort.signal }).media.contentStream(id);
  assert.equal((await content.next()).done, false);
  abort.abort(reason);
  await assert.rejects(content.next(), (error) => error === reason);
});

test("a header of a call stands in place of the client's in whatever case", async () => {
  const { id } = await client.projects.create({ name: "Film" });
  await platform.clearRequests();
  const team = client.withOptions({ headers: { "x-team": "a", "X-Floor": "1" } });
  await team.projects.get(id, { headers: { "X-Team": "b" } });
  await team.withOptions({ headers: { "X-TEAM": "c" } }).projects.get(id);
  await team.projects.get(id, { headers: { "X-Team": undefined } });
  const sent = (await platform.requests({ path: `/api/projects/${id}` })).map(({ headers }) => [headers["x-team"], headers["x-floor"]]);
  assert.deepEqual(sent, [["b", "1"], ["c", "1"], ["a", "1"]]);
});

test("a number or a date that is none is refused, and changes nothing", async () => {
  const refuses = (call, param) =>
    assert.rejects(call, (error) => error instanceof InvalidRequestError && error.param === param && error.message.includes(param));
  const { id } = await client.projects.create({ name: "Film", budget: 9.5, settings: { fps: 25 } });
  for (const none of [NaN, Infinity, -Infinity]) {
    await refuses(client.projects.update(id, { budget: none }), "budget");
    await refuses(client.projects.update(id, { settings: { cuts: [{ at: 1 }, { at: none }] } }), "settings.cuts[1].at");
    await refuses(client.request("PUT", `/api/projects/${id}`, { json: { budget: none } }), "json.budget");
  }
  await refuses(client.projects.update(id, { start_date: new Date("soon") }), "start_date");
  await refuses(client.projects.list({ pageSize: NaN }), "pageSize");
  await refuses(client.projects.items({ maxItems: Infinity }).next(), "maxItems");
  await refuses(client.media.upload(bytes, { fileName: "a.mp4", chunkSize: NaN }), "chunkSize");
  await refuses(client.apiKeys.create({ name: "Key", permissions: ["read"], expires_in_days: Number(undefined) }), "expires_in_days");
  await refuses(client.apiKeys.rotate("key_1", { grace_seconds: NaN }), "grace_seconds");
  await refuses(client.jobs.wait("job_1", { timeout: Infinity }), "timeout");
  await assert.rejects(client.projects.get(NaN), InvalidRequestError);
  const kept = await client.projects.get(id);
  assert.deepEqual([kept.budget, kept.settings], [9.5, { fps: 25 }]);
  // What is meant to be null is.
  const { budget, settings } = await client.projects.update(id, { budget: null, settings: { fps: null, at: [null] } });
  assert.deepEqual([budget ?? null, settings], [null, { fps: null, at: [null] }]);
});

test("what only says null in its text is not looked through for one", async () => {
  let reads = 0;
  const json = {
    get name() {
      reads++;
      return "null and void, or key: null";
    },
  };
  const { status } = await client.request("POST", "/api/projects", { json });
  assert.deepEqual([status, reads], [201, 1]);
});

test("a value is refused by its name however deep it stands, and whatever gave it", async () => {
  const depth = 2_000;
  let deep = { at: NaN };
  for (let level = 0; level < depth; level++) deep = level % 2 ? { in: deep } : [deep];
  const refuses = (json, param) =>
    assert.rejects(client.request("PUT", "/api/projects/prj_1", { json }), (error) => error instanceof InvalidRequestError && error.param === param);
  await refuses(deep, `json${".in[0]".repeat(depth / 2)}.at`);
  await refuses({ a: null, made: { toJSON: (key) => ({ [key]: [1, Infinity] }) } }, "json.made.made[1]");
  await refuses({ list: [undefined, () => 1, new Date(0), new Date(NaN)] }, "json.list[3]");
});

test("half of a surrogate pair is refused by the name of what has it", async () => {
  const half = "Fil\ud83c";
  const refuses = (call, param) =>
    assert.rejects(call, (error) => error instanceof InvalidRequestError && error.param === param && error.message === `\`${param}\` has a lone surrogate, which UTF-8 cannot hold`);
  await refuses(client.projects.get(half), "id");
  await refuses(client.projects.update(half, {}), "id");
  await refuses(client.projects.update("prj_1", { name: half }), "name");
  await refuses(client.projects.create({ name: "Film", settings: { cuts: [{ at: 1 }, { at: [0, half] }] } }), "settings.cuts[1].at[1]");
  await refuses(client.projects.create({ name: "Film", settings: { cut: { [half]: 1 } } }), "settings.cut");
  await refuses(client.projects.items({ status: half }).next(), "status");
  await refuses(client.request("GET", half), "path");
  await refuses(client.request("GET", "/api/projects", { query: { name: half } }), "query.name");
  await refuses(client.media.upload(bytes, { fileName: half }), "fileName");
  await refuses(client.media.uploadAll([{ source: bytes, fileName: half }]).next(), "fileName");
  await refuses(client.jobs.wait(half), "id");
  const setting = { kind: "config", param: "headers.x-team", message: /`headers\.x-team` of the call's options has a lone surrogate/ };
  await assert.rejects(client.projects.list({}, { headers: { "x-team": half } }), setting);
  assert.throws(() => platform.client({ apiKey: half }), { kind: "config", param: "apiKey", message: /^(?!.*Fil)/ });
  // What is whole is sent.
  const { name } = await client.projects.create({ name: "Film \u{1f3ac} \\ud83c" });
  assert.equal(name, "Film \u{1f3ac} \\ud83c");
});

test("what is nested deeper than JSON is read is refused by its name", async () => {
  let deep = 1;
  for (let level = 0; level < 500; level++) deep = level % 2 ? { in: deep } : [deep];
  await assert.rejects(client.projects.create({ name: "Film", settings: { deep } }), { kind: "invalid_request", param: "settings", message: /nested too deep/ });
  await assert.rejects(client.request("POST", "/api/projects", { json: [deep] }), { kind: "invalid_request", param: "json" });
});

test("a setting that is no number is refused in place of a default", async () => {
  for (const [options, param] of [
    [{ timeout: Infinity }, "timeout"],
    [{ maxRetries: NaN }, "maxRetries"],
  ]) {
    const refused = (error) => error instanceof ConfigError && error.param === param;
    await assert.rejects(client.projects.list({}, options), refused);
    await assert.rejects(client.withOptions(options).projects.list(), refused);
    assert.throws(() => platform.client(options), refused);
  }
  const breaker = { circuitBreaker: { recoveryTimeout: Infinity } };
  assert.throws(() => platform.client(breaker), { kind: "config", param: "circuitBreaker.recoveryTimeout" });
  assert.throws(() => new Webhook("a-secret-of-the-test", { tolerance: NaN }), { kind: "config", param: "tolerance" });
});

test("fromEnv takes every option, and each comes before its variable", async () => {
  const names = ["STORYCORE_API_KEY", "STORYCORE_BASE_URL", "STORYCORE_MAX_RETRIES", "STORYCORE_TIMEOUT", "STORYCORE_PLATFORM"];
  const before = names.map((name) => [name, process.env[name]]);
  try {
    Object.assign(process.env, platform.environment(), { STORYCORE_MAX_RETRIES: "0" });
    await platform.clearRequests();
    await StoryCoreClient.fromEnv().projects.list();
    await StoryCoreClient.fromEnv({ headers: { "x-team": "cut" }, appInfo: { name: "mine", version: "7" } }).projects.list();
    const [first, second] = await platform.requests({ path: "/api/projects" });
    assert.match(first.headers["user-agent"], /\(node; /);
    assert.match(second.headers["user-agent"], /^mine\/7 .*\(node; /);
    assert.equal(second.headers["x-team"], "cut");
    await assert.rejects(StoryCoreClient.fromEnv({ apiKey: "another-key" }).projects.list(), AuthenticationError);
    await platform.fault({ path: "/api/projects", times: 2, action: { status: 503 } });
    await StoryCoreClient.fromEnv({ maxRetries: 2 }).projects.list();
    process.env.STORYCORE_BASE_URL = "http://127.0.0.1:9";
    await StoryCoreClient.fromEnv({ baseUrl: platform.url }).projects.list();
    const given = { STORYCORE_MAX_RETRIES: { maxRetries: 0 }, STORYCORE_TIMEOUT: { timeout: 5_000 }, STORYCORE_PLATFORM: { platform: "storycore" } };
    for (const [name, option] of Object.entries(given)) {
      const right = process.env[name];
      process.env[name] = "soon";
      assert.throws(() => StoryCoreClient.fromEnv({ baseUrl: platform.url }), (error) => error instanceof ConfigError && error.message.includes(name));
      await StoryCoreClient.fromEnv({ baseUrl: platform.url, ...option }).projects.list();
      if (right === undefined) delete process.env[name];
      else process.env[name] = right;
    }
    delete process.env.STORYCORE_API_KEY;
    assert.throws(() => StoryCoreClient.fromEnv(), (error) => error instanceof ConfigError && /STORYCORE_API_KEY/.test(error.message));
    await StoryCoreClient.fromEnv({ apiKey: platform.apiKey, baseUrl: platform.url }).projects.list();
    assert.throws(() => StoryCoreClient.fromEnv({ apiKey: "a", anonymous: true }), ConfigError);
    assert.throws(() => StoryCoreClient.fromEnv({ apikey: "a" }), { param: "apikey" });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});
