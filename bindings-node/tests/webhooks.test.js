// Webhooks as users of Express, Fastify, Hono and Fetch receive them, in the real frameworks: what is genuine gets through,
// what is not is refused, and a parser that came first is named with its cure.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { connect } = require("node:net");
const { after, test } = require("node:test");
const express = require("express");
const fastify = require("fastify");
const { Hono } = require("hono");
const { ConfigError } = require("storycore");
const { LocalPlatform } = require("storycore/testing");
const webhooks = require("storycore/webhooks");

const { Webhook, WebhookSignatureError, ReplayGuard, sign } = webhooks;
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const webhook = new Webhook(secret);
const body = '{"id":"evt_1","event":"job.completed","data":{"id":"job_1","name":"é"}}';
const headers = () => ({ ...sign(secret, body), "content-type": "application/json" });
const open = [];

after(() => Promise.all(open.map((close) => close())));

async function listening(app) {
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.push(() => new Promise((resolve) => server.close(resolve)));
  return `http://127.0.0.1:${server.address().port}`;
}

async function post(url, sent = body, given = headers()) {
  const answer = await fetch(url, { method: "POST", body: sent, headers: given });
  return { status: answer.status, text: await answer.text() };
}

test("a genuine delivery is an event, in whatever form it comes", () => {
  const signed = sign(secret, body);
  for (const given of [body, Buffer.from(body), new Uint8Array(Buffer.from(body)), new TextEncoder().encode(body).buffer]) {
    for (const named of [signed, new Headers(signed), new Map(Object.entries(signed)), Object.entries(signed)]) {
      const event = webhook.verify(given, named);
      assert.deepEqual(event, JSON.parse(body));
      assert.equal(Buffer.from(event.raw).toString(), body);
    }
  }
  for (const platform of ["storycore", "powalyze", "hub_chantier"]) {
    assert.equal(new Webhook(secret, { platform }).verify(body, sign(secret, body, { platform })).id, "evt_1");
  }
});

test("whatever is wrong is one kind of error", () => {
  const signed = sign(secret, body);
  for (const [given, named] of [
    [`${body} `, signed],
    [body, {}],
    [body, undefined],
    [body, null],
    [undefined, signed],
    ["", signed],
    [body, { ...signed, "webhook-signature": "v1,AAAA" }],
    [body, { ...signed, "webhook-timestamp": "soon" }],
    [body, sign(secret, body, { at: new Date(Date.now() - 600_000) })],
    [body, sign(secret, body, { at: new Date(Date.now() + 600_000) })],
    [body, [1, 2]],
    [body, [[Symbol("name"), Object.create(null)]]],
    [body, { ...signed, "webhook-id": Object.create(null) }],
    [body, Object.entries(signed).flat()],
    ["no event", sign(secret, "no event")],
    ["null", sign(secret, "null")],
    ["[]", sign(secret, "[]")],
    [7, signed],
    [[], signed],
  ]) {
    assert.throws(() => webhook.verify(given, named), WebhookSignatureError);
  }
});

test("a body that was parsed has an error that says what to do", () => {
  assert.throws(() => webhook.verify(JSON.parse(body), sign(secret, body)), /express\.raw.*parseAs.*arrayBuffer/s);
});

test("secrets that cannot be one are refused, and are not shown", () => {
  for (const none of [undefined, null]) assert.throws(() => new Webhook(none), { kind: "config", message: /secret is missing/ });
  for (const wrong of ["", [], "whsec_!!"]) assert.throws(() => new Webhook(wrong), (error) => error.kind === "config" || error.kind === "invalid_request");
  assert.throws(() => new Webhook("short"), (error) => error instanceof ConfigError && !error.message.includes("short"));
});

test("the old and the new secret are good while one rotates", () => {
  const next = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const both = new Webhook([secret, next]);
  assert.equal(both.verify(body, sign(next, body)).id, both.verify(body, sign(secret, body)).id);
});

test("the clock can be one's own", () => {
  const at = new Date("2020-01-01T00:00:00Z");
  const then = new Webhook(secret, { clock: () => at, tolerance: 1000 });
  assert.equal(then.verify(body, sign(secret, body, { at })).id, "evt_1");
  assert.throws(() => then.verify(body, sign(secret, body)), WebhookSignatureError);
});

test("a replay guard takes an id once, over memory and over a store of one's own", async () => {
  const seen = new Map();
  const store = {
    take: async (id) => (seen.has(id) ? seen.get(id) : (seen.set(id, "processing"), "first")),
    done: async (id) => void seen.set(id, "done"),
    release: async (id) => void seen.delete(id),
  };
  for (const guard of [new ReplayGuard(), new ReplayGuard({ store })]) {
    assert.equal(await guard.take("a"), "first");
    assert.equal(await guard.take("a"), "processing");
    await guard.release("a");
    assert.equal(await guard.take("a"), "first");
    await guard.done("a");
    assert.equal(await guard.take("a"), "done");
  }
});

test("Express receives events, beside JSON routes and before them", async () => {
  const app = express();
  app.post("/webhook", webhooks.expressWebhook(webhook), (request, response) => response.send(request.event.data.name));
  app.post("/raw", express.raw({ type: "*/*" }), webhooks.expressWebhook(webhook), (request, response) => response.send(request.event.id));
  app.use(express.json());
  app.post("/json", (request, response) => response.send(request.body.id));
  const url = await listening(app);
  assert.deepEqual(await post(`${url}/webhook`), { status: 200, text: "é" });
  assert.deepEqual(await post(`${url}/raw`), { status: 200, text: "evt_1" });
  assert.deepEqual(await post(`${url}/json`), { status: 200, text: "evt_1" });
  const forged = await post(`${url}/webhook`, `${body} `);
  assert.equal(forged.status, 400);
  assert.equal(JSON.parse(forged.text).error.code, "invalid_signature");
});

test("Express with a JSON parser in front is told to put the route before it", async () => {
  const app = express();
  app.use(express.json());
  app.post("/webhook", webhooks.expressWebhook(webhook), (_request, response) => response.send("not reached"));
  let seen;
  app.use((error, _request, response, _next) => {
    seen = error;
    response.status(error.statusCode).send("error");
  });
  assert.equal((await post(`${await listening(app)}/webhook`)).status, 500);
  assert(seen instanceof WebhookSignatureError);
  assert.match(seen.message, /before\s+app\.use\(express\.json\(\)\).*express\.raw/s);
});

test("Express takes no delivery that is too long", async () => {
  const app = express();
  app.post("/webhook", webhooks.expressWebhook(webhook, { limit: 100 }), (_request, response) => response.send("not reached"));
  app.use((error, _request, response, _next) => response.status(error.statusCode ?? 500).send("error"));
  assert.equal((await post(`${await listening(app)}/webhook`, "x".repeat(101))).status, 413);
});

test("Express answers a delivery that is far too long, and whoever handles the error still knows who sent it", async () => {
  const app = express();
  app.post("/webhook", webhooks.expressWebhook(webhook), (_request, response) => response.send("not reached"));
  app.use((error, request, response, _next) => response.status(error.statusCode).send(request.ip));
  const url = `${await listening(app)}/webhook`;
  assert.deepEqual(await post(url, "x".repeat(8 * 1024 * 1024)), { status: 413, text: "127.0.0.1" });
  assert.equal((await post(url)).status, 200);
});

test("Express breaks off a delivery without end", { timeout: 60_000 }, async () => {
  const app = express();
  app.post("/webhook", webhooks.expressWebhook(webhook), (_request, response) => response.send("not reached"));
  app.use((error, _request, response, _next) => response.status(error.statusCode).send("error"));
  const sender = connect(new URL(await listening(app)).port, "127.0.0.1");
  const isClosed = new Promise((resolve) => sender.once("close", resolve).on("error", resolve));
  let answer = "";
  sender.on("data", (piece) => (answer += piece));
  sender.write("POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n");
  const piece = Buffer.alloc(1024 * 1024);
  let sent = 0;
  while (sent < 64 && !sender.destroyed) {
    sent += 1;
    const isTaken = new Promise((resolve) => sender.write(piece, resolve));
    await Promise.race([isTaken, isClosed]);
  }
  const isBroken = sender.destroyed;
  sender.destroy();
  assert.match(answer, /^HTTP\/1.1 413 /);
  assert(isBroken, `all ${sent} MiB were taken`);
});

test("Express receives events of a request that was paused", { timeout: 30_000 }, async () => {
  const app = express();
  app.use((request, _response, next) => {
    request.pause();
    setImmediate(next);
  });
  app.post("/webhook", webhooks.expressWebhook(webhook), (request, response) => response.send(request.event.id));
  assert.deepEqual(await post(`${await listening(app)}/webhook`), { status: 200, text: "evt_1" });
});

test("Fastify receives events in a scope of its own", async () => {
  const app = fastify();
  app.register(async (scope) => {
    webhooks.fastifyWebhook(scope, webhook);
    scope.post("/webhook", async (request) => request.event.data.name);
  });
  app.post("/json", async (request) => request.body.id);
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  open.push(() => app.close());
  assert.deepEqual(await post(`${url}/webhook`), { status: 200, text: "é" });
  assert.deepEqual(await post(`${url}/json`), { status: 200, text: "evt_1" });
  assert.equal((await post(`${url}/webhook`, `${body} `)).status, 400);
  assert.equal((await post(`${url}/webhook`, "", {})).status, 400);
});

test("Fastify with a parser in the way is told to take it out", async () => {
  const app = fastify();
  app.register(async (scope) => {
    webhooks.fastifyWebhook(scope, webhook);
    scope.addContentTypeParser("application/json", { parseAs: "string" }, (_request, text, done) => done(null, JSON.parse(text)));
    scope.post("/webhook", async () => "not reached");
  });
  const url = await app.listen({ port: 0, host: "127.0.0.1" });
  open.push(() => app.close());
  const answer = await post(`${url}/webhook`);
  assert.equal(answer.status, 500);
  assert.match(JSON.parse(answer.text).message, /add no content type parser/);
});

test("Hono receives events, and handlers can still read the body", async () => {
  const app = new Hono();
  app.post("/webhook", webhooks.honoWebhook(webhook), async (c) => c.text(c.get("event").data.name + (await c.req.json()).id));
  const answer = await app.request("/webhook", { method: "POST", body, headers: headers() });
  assert.deepEqual([answer.status, await answer.text()], [200, "éevt_1"]);
  assert.equal((await app.request("/webhook", { method: "POST", body: `${body} `, headers: headers() })).status, 400);
});

test("Hono with a validator in front is told to put the middleware before it", async () => {
  const app = new Hono();
  let seen;
  app.onError((error, c) => {
    seen = error;
    return c.text("error", 500);
  });
  app.use(async (c, next) => {
    await c.req.json();
    await next();
  });
  app.post("/webhook", webhooks.honoWebhook(webhook), (c) => c.text("not reached"));
  assert.equal((await app.request("/webhook", { method: "POST", body, headers: headers() })).status, 500);
  assert(seen instanceof WebhookSignatureError);
  assert.match(seen.message, /before validators/);
});

test("a Fetch request gives its event, and one that was read is told apart", async () => {
  const request = () => new Request("http://localhost/", { method: "POST", body, headers: headers() });
  assert.equal((await webhooks.verifyRequest(webhook, request())).id, "evt_1");
  const read = request();
  await read.json();
  await assert.rejects(webhooks.verifyRequest(webhook, read), /request\.clone\(\)/);
});

test("what the platform really sends is verified", async () => {
  const platform = await LocalPlatform.start();
  open.push(() => platform.stop());
  const client = platform.client();
  const app = express();
  let verifier;
  const arrived = new Promise((resolve) => {
    app.post("/webhook", (...given) => webhooks.expressWebhook(verifier)(...given), (request, response) => {
      resolve(request.event);
      response.end();
    });
  });
  const made = await client.webhooks.create({ url: `${await listening(app)}/webhook`, events: ["project.created"] });
  verifier = new Webhook(made.secret, { requireStandard: true });
  const project = await client.projects.create({ name: "Told" });
  const event = await arrived;
  assert.deepEqual([event.event, event.data.id, event.project_name], ["project.created", project.id, "Told"]);
  await client.close();
});
