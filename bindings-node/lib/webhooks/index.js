// `storycore/webhooks`: what a platform sends is verified, signed (for tests), and taken once.
"use strict";

const { NativeWebhook, NativeReplayStore, signStandard, signPublic, signOwn } = require("../native.js");
const { native, ConfigError, WebhookSignatureError } = require("../errors.js");
const { settingsText } = require("../json.js");
const { KNOWN } = require("./events.js");

class Webhook {
  #native;
  #clock;

  constructor(secrets, { clock, ...options } = {}) {
    if (secrets === undefined || secrets === null) {
      throw new ConfigError("the webhook's secret is missing: give the text that its creation answered with, or a list of such texts");
    }
    const settings = settingsText({ ...options, secrets: typeof secrets === "string" ? [secrets] : secrets });
    this.#native = native(() => new NativeWebhook(settings));
    this.#clock = clock;
  }

  verify(body, headers) {
    const bytes = bytesOf(body);
    const now = this.#clock === undefined ? undefined : Number(this.#clock());
    const named = pairsOf(headers);
    native(() => this.#native.verify(bytes, named, now));
    const event = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
    // The delivery as it arrived, beside the fields.
    Object.defineProperty(event, "raw", { value: bytes, enumerable: false });
    return event;
  }
}

/** The body's bytes. What is no bytes any more cannot be verified, and the usual cause is named. */
function bytesOf(body) {
  if (body instanceof Uint8Array) return body;
  if (typeof body === "string") return Buffer.from(body, "utf8");
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (body === undefined || body === null) {
    throw new WebhookSignatureError("there is no body: give the bytes of the request as they arrived");
  }
  throw new WebhookSignatureError(
    "the body is no bytes but what a JSON parser made of them, and the signature is over the bytes as they arrived: keep " +
      "the parser away from this route (Express: express.raw({ type: \"*/*\" }) in place of express.json() there; Fastify: a " +
      "content type parser with parseAs: \"buffer\"; Fetch: request.arrayBuffer())",
  );
}

/** Names and values in turn, of Fetch's `Headers`, a Map, Node's object, or pairs. */
function pairsOf(headers) {
  if (headers === undefined || headers === null || typeof headers !== "object") {
    throw new WebhookSignatureError("there are no headers: give the headers of the request");
  }
  const entries = typeof headers[Symbol.iterator] === "function" ? headers : Object.entries(headers);
  const pairs = [];
  for (const entry of entries) {
    if (!Array.isArray(entry)) {
      throw new WebhookSignatureError("the headers are no names with values: give the request's `headers`, not its `rawHeaders`");
    }
    const [name, value] = entry;
    // Of a header that is there twice, Node gives a list. What cannot be a header's value is left out.
    for (const one of Array.isArray(value) ? value : [value]) {
      const isValue = typeof one === "string" || typeof one === "number";
      if (typeof name === "string" && isValue) pairs.push(name, String(one));
    }
  }
  return pairs;
}

/** Whether this version knows the event, so that its `event` tells its type. */
function isKnownEvent(event) {
  return KNOWN.has(event.event);
}

/** Headers of a delivery as the platform signs it, for tests of who receives webhooks. A key in bytes signs `v1a`. */
function sign(secret, body, { id, at = new Date(), platform } = {}) {
  const bytes = bytesOf(body);
  const time = Number(at);
  id ??= `evt_${time}`;
  const signed = native(() => {
    if (platform !== undefined) return signOwn(platform, secret, bytes);
    return secret instanceof Uint8Array ? signPublic(secret, id, time, bytes) : signStandard(secret, id, time, bytes);
  });
  const headers = {};
  for (let at = 0; at < signed.length; at += 2) headers[signed[at]] = signed[at + 1];
  return headers;
}

/** Keeps ids in this process's memory, a bounded number of them: the oldest go first. */
class MemoryStore {
  #stores = new Map();
  #most;

  constructor({ most } = {}) {
    this.#most = most;
  }

  /** One native store for each pair of times, which a guard does not change. */
  #native(processing, keep) {
    const key = `${processing} ${keep}`;
    if (!this.#stores.has(key)) this.#stores.set(key, native(() => new NativeReplayStore(this.#most, processing, keep)));
    return this.#stores.get(key);
  }

  async take(id, { processing, keep }) {
    return native(() => this.#native(processing, keep).take(id));
  }

  async done(id, { processing, keep }) {
    native(() => this.#native(processing, keep).done(id));
  }

  async release(id, { processing, keep }) {
    native(() => this.#native(processing, keep).release(id));
  }
}

/** Takes each event once, over a store in memory or one's own. */
class ReplayGuard {
  #store;
  #times;

  constructor({ store = new MemoryStore(), processing = 5 * 60_000, keep = 24 * 3_600_000 } = {}) {
    this.#store = store;
    this.#times = Object.freeze({ processing, keep });
  }

  take(id) {
    return this.#store.take(id, this.#times);
  }

  done(id) {
    return this.#store.done(id, this.#times);
  }

  release(id) {
    return this.#store.release(id, this.#times);
  }
}

module.exports = {
  Webhook,
  WebhookSignatureError,
  ReplayGuard,
  MemoryStore,
  sign,
  isKnownEvent,
  ...require("./adapters.js"),
};
