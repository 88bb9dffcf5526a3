// Errors as a program's author meets them: where they come from, and what they say of a mistake.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { after, before, test } = require("node:test");
const { inspect, promisify } = require("node:util");
const { APIConnectionError, ConfigError, InvalidRequestError, StoryCoreClient } = require("storycore");
const { Webhook } = require("storycore/webhooks");
const { LocalPlatform } = require("storycore/testing");

const run = promisify(execFile);
let platform, client;

before(async () => {
  platform = await LocalPlatform.start();
  client = platform.client({ maxRetries: 0 });
});

after(async () => {
  await client?.close();
  await platform?.stop();
});

test("an error's stack names the functions that wait for the call", async () => {
  const calls = {
    get: async () => await client.projects.get("none"),
    page: async () => await client.projects.list({ sort: "nonsense" }),
    items: async () => {
      for await (const _ of client.projects.list({ sort: "nonsense" }));
    },
    request: async () => await client.request("GET", "/none"),
    upload: async () => await client.media.upload(Buffer.from("film"), { fileName: "film.mp4", project_id: "none" }),
    wait: async () => await client.jobs.wait("none"),
    events: async () => {
      for await (const _ of client.jobs.events("none"));
    },
    many: async () => await Promise.all(Array.from({ length: 20 }, () => client.projects.get("none"))),
  };
  for (const [name, call] of Object.entries(calls)) {
    const whoeverCalls = async () => await call();
    const { stack } = await whoeverCalls().then(assert.fail, (error) => error);
    assert.match(stack, new RegExp(`at async ${name} .*errors\\.test\\.js[^]*at async whoeverCalls .*errors\\.test\\.js`), stack);
  }
});

test("a failure that nobody waits for is told as one, and that of a page that was asked for ahead is not", async () => {
  await Promise.all(Array.from({ length: 3 }, (_, number) => client.projects.create({ name: `p${number}` })));
  await platform.fault({ path: "/api/projects", nth: 2, action: { status: 401 } });
  const program = `
    process.on("unhandledRejection", (error) => console.log("unhandled", error.kind));
    const client = require("storycore").StoryCoreClient.fromEnv({ maxRetries: 0 });
    (async () => {
      const pages = client.projects.list({ pageSize: 1 }).pages();
      await pages.next();
      await new Promise((resolve) => setTimeout(resolve, 200));
      console.log("the loop hears", await pages.next().catch(({ kind }) => kind));
      client.projects.get("none");
    })();`;
  const env = { ...process.env, ...platform.environment() };
  const { stdout } = await run(process.execPath, ["--eval", program], { cwd: __dirname, env, timeout: 20_000 });
  assert.equal(stdout, "the loop hears authentication\nunhandled not_found\n");
});

test("what stood behind an error is its words, without functions that had no part in it", async () => {
  const nobody = new StoryCoreClient({ apiKey: "a-key", baseUrl: "http://127.0.0.1:9", maxRetries: 0 });
  const error = await nobody.projects.get("prj_1").then(assert.fail, (error) => error);
  assert(error instanceof APIConnectionError);
  assert.match(inspect(error), /\[cause\]: \[Error: [^\n]*\]/);
  await nobody.close();
});

test("a name that is spelled as in another language is told as it is here", async () => {
  const given = { apiKey: "a-key", baseUrl: platform.url };
  for (const [wrong, right, make] of [
    ["api_key", "apiKey", (options) => new StoryCoreClient(options)],
    ["baseURL", "baseUrl", (options) => new StoryCoreClient({ apiKey: "a-key", ...options })],
    ["max_retries", "maxRetries", (options) => new StoryCoreClient({ ...given, ...options })],
    ["require_standard", "requireStandard", (options) => new Webhook("a-secret-of-the-test", options)],
  ]) {
    assert.throws(() => make({ [wrong]: "x" }), (error) => error instanceof ConfigError && error.param === wrong && error.message.endsWith(`: it is \`${right}\``));
  }
  await assert.rejects(client.projects.list({}, { maxretries: 1 }), { kind: "config", param: "maxretries", message: /it is `maxRetries`/ });
  const refuses = (call, param, right) =>
    assert.rejects(call, (error) => error instanceof InvalidRequestError && error.param === param && error.message.endsWith(`: it is \`${right}\``));
  await refuses(client.projects.create({ name: "Film", startDate: "2026-12-31" }), "startDate", "start_date");
  await refuses(client.projects.list({ page_size: 10 }), "page_size", "pageSize");
  await refuses(client.projects.items({ MaxItems: 10 }).next(), "MaxItems", "maxItems");
  await refuses(client.media.upload(Buffer.from("film"), { fileName: "film.mp4", projectId: "prj_1" }), "projectId", "project_id");
  await assert.rejects(client.projects.create({ name: "Film", color: "red" }), { kind: "invalid_request", param: "color", message: "there is no `color` in project" });
});

test("a value of the wrong type is told with what it must be, and not itself", async () => {
  const wrong = (options) => () => new StoryCoreClient({ apiKey: "a-key", ...options });
  assert.throws(wrong({ apiKey: 123456 }), { kind: "config", param: "apiKey", message: /^(?!.*123456).*number: it must be a string$/ });
  assert.throws(wrong({ timeout: "5 s" }), { kind: "config", param: "timeout", message: /^(?!.*5 s).*it must be a number$/ });
  assert.throws(wrong({ timeout: -1 }), { kind: "config", param: "timeout", message: /number of milliseconds from 0/ });
  assert.throws(wrong({ maxRetries: 1.5 }), { kind: "config", param: "maxRetries", message: /a whole number/ });
  assert.throws(wrong({ baseUrl: "http://example.com" }), { kind: "config", message: /`allowInsecureHttp` must be set/ });
  const given = { name: "Film", start_date: new Date() };
  await assert.rejects(client.projects.create(given), { kind: "invalid_request", param: "start_date", message: /a day such as "\d{4}-\d\d-\d\d"$/ });
  await assert.rejects(client.projects.get({ id: "prj_1" }), { param: "id", message: "`id` cannot be this object: it must be a string" });
  await assert.rejects(client.projects.list({ pageSize: 0 }), { kind: "invalid_request", param: "pageSize", message: /^pageSize must be from 1 to 100/ });
  await assert.rejects(client.request("GET", "/api/projects?limit=1"), { kind: "config", message: /the option `query`/ });
});

test("a file's name is told as it is, also where it is a parameter's in another language", async () => {
  const folder = mkdtempSync(join(tmpdir(), "storycore-"));
  try {
    for (const name of ["page_size.csv", "use query().csv", "allow_insecure_http must be set.csv"]) {
      const missing = client.media.upload(join(folder, name));
      await assert.rejects(missing, (error) => error.kind === "upload" && error.message.includes(`${name} cannot be read`));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an address in place of a file is told how to upload what is there", async () => {
  for (const address of ["https://example.com/film.mp4", "HTTPS://example.com/film.mp4", new URL("http://example.com/film.mp4")]) {
    await assert.rejects(client.media.upload(address), (error) => error instanceof TypeError && /upload\(await fetch\(address\), \{ fileName \}\)/.test(error.message));
  }
  await assert.rejects(client.media.upload(5), { name: "TypeError", message: /a path, bytes, a Blob/ });
});
