// What a client says of itself: lines to a logger of the program's own, and metrics.
"use strict";

const assert = require("node:assert/strict");
const { after, before, test } = require("node:test");
const { ConfigError, StoryCoreClient, metrics } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

let platform;

before(async () => {
  platform = await LocalPlatform.start();
});

after(() => platform?.stop());

/** A logger that keeps its lines. */
function logger() {
  const lines = [];
  const keep = (level) => (message, fields) => lines.push({ level, message, fields });
  return { lines, debug: keep("debug"), info: keep("info"), warn: keep("warn"), error: keep("error") };
}

/** Lines come with the answers or a little later. */
async function until(lines, wanted) {
  const deadline = Date.now() + 60_000;
  while (!lines.some(wanted)) {
    assert(Date.now() < deadline, JSON.stringify(lines));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("a logger is told of each call, and at debug of each attempt and why it was repeated", async () => {
  const [own, others, quiet] = [logger(), logger(), logger()];
  const client = platform.client({ logger: own, logLevel: "debug" });
  const other = platform.client({ logger: others });
  const third = platform.client({ logger: quiet, logLevel: "error" });
  await platform.fault({ path: "/api/projects", action: { status: 503 } });
  await client.projects.list();
  const { id } = await other.projects.create({ name: "Secret film" });
  await third.projects.get(id);
  for await (const _ of client.projects.list({ pageSize: 1 })) break;
  const call = ({ level, fields }) => level === "info" && fields["url.template"] === "/projects" && fields.duration_ms > 0;
  await until(own.lines, call);
  await until(own.lines, ({ level, fields }) => level === "debug" && fields["http.response.status_code"] === 503);
  await until(own.lines, ({ message }) => /trying again/.test(message));
  await until(others.lines, ({ fields }) => fields["http.request.method"] === "POST");
  assert(others.lines.every(({ level }) => level === "info"), "attempts are told at debug alone");
  assert(own.lines.every(({ fields }) => fields["http.request.method"] !== "POST"), "each client has its own logger");
  assert.equal(quiet.lines.length, 0);
  const said = JSON.stringify([own.lines, others.lines]);
  assert(!said.includes(platform.apiKey) && !said.includes("Secret film"), "no secret and no body");
  for (const each of [client, other, third]) await each.close();
});

test("what is no logger is refused", () => {
  assert.throws(() => platform.client({ logger: {} }), ConfigError);
  assert.throws(() => platform.client({ logger: console, logLevel: "loud" }), ConfigError);
  assert.throws(() => platform.client({ logger: console, nmae: 1 }), { param: "nmae" });
  Object.assign(process.env, platform.environment());
  assert(StoryCoreClient.fromEnv({ logger: console, logLevel: "error" }) instanceof StoryCoreClient);
});

test("metrics are counted from when they are asked for", async () => {
  const client = platform.client();
  await client.projects.list();
  assert.deepEqual(metrics.snapshot(), []);
  metrics.enable();
  await client.projects.list();
  await client.projects.get("prj_none").catch(() => {});
  const all = metrics.snapshot();
  const find = (name, labels) => all.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value));
  assert.equal(find("integration_requests_total", { endpoint: "/projects" }).count, 1);
  assert.equal(find("integration_errors_total", { error_type: "not_found" }).count, 1);
  const took = find("integration_request_duration_seconds", { endpoint: "/projects" });
  assert(took.count === 1 && took.sum > 0 && took.buckets.at(-1)[1] === 1);
  await client.close();
});
