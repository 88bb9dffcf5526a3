// The client: how it is made, how it is closed, how it makes a call. Its resources are generated, in `resources`.
"use strict";

const { NativeClient } = require("./native.js");
const { bridge, start, startOperation, listen, unlisten, takeBack, closeAll } = require("./bridge.js");
const { native, ConfigError, DecodeError } = require("./errors.js");
const { resources } = require("./tables.js");

// Loaded with the first client: each file is a fifth of a millisecond of `require("storycore")`.
let json;
const argumentsText = (given, named) => (json ??= require("./json.js")).argumentsText(given, named);
const settingsText = (given) => (json ??= require("./json.js")).settingsText(given);

const { bun, deno } = process.versions;
const language = bun ? "bun" : deno ? "deno" : "node";

const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** What a client and those that `withOptions` made of it share. */
class Shared {
  /** What is told of this client, beside its calls' ends, by numbers. */
  listeners = [];

  /** Those of them that are told of new tokens. */
  tokens = [];

  constructor(make, given) {
    const { logger, logLevel = "info" } = given ?? {};
    const lines = logger === undefined || logger === null ? undefined : this.listen(toLogger(logger));
    try {
      this.native = native(() => make(this, lines, logLevel));
    } catch (error) {
      [...this.listeners, ...this.tokens].forEach(unlisten);
      throw error;
    }
    const { listeners, tokens } = this;
    if (listeners.length + tokens.length > 0) dropped.register(this, { listeners, tokens });
  }

  listen(told) {
    const number = listen(told);
    this.listeners.push(number);
    return number;
  }
}

/**
 * What a client's calls end with: its own end, or that of one it was made of. Whoever says `client = client.withOptions(…)`
 * again and again has thousands of them in a row: each looks up the row once after something in it was closed, and those whose
 * client is gone, which nobody can close any more, are left out of it.
 */
class Life {
  #isClosed = false;
  #isGone = false;
  #isParent = false;
  #of;
  /** How often something was closed that others were made of, which all of one origin share; and when this one looked last. */
  #closings;
  #looked;

  constructor(of) {
    this.#closings = of?.#closings ?? { count: 0 };
    this.#looked = of?.#looked ?? 0;
    if (of === undefined) return;
    while (of.#of?.#isGone) of.#of = of.#of.#of;
    of.#isParent = true;
    this.#of = of;
    this.#isClosed = of.#isClosed;
  }

  get isClosed() {
    if (this.#looked !== this.#closings.count) this.#look();
    return this.#isClosed;
  }

  get isDerived() {
    return this.#of !== undefined;
  }

  #look() {
    const { count } = this.#closings;
    const looking = [];
    let life = this;
    for (; life !== undefined && !life.#isClosed && life.#looked !== count; life = life.#of) looking.push(life);
    const isClosed = life !== undefined && life.#isClosed;
    for (const below of looking) [below.#isClosed, below.#looked] = [isClosed, count];
  }

  close() {
    this.#isClosed = true;
    if (this.#isParent) this.#closings.count += 1;
  }

  /** Its client is gone. One that was closed stays: it may be from it that those made of it are to learn that. */
  gone() {
    this.#isGone = !this.#isClosed;
  }
}

/** What is native of a client with these options, which `make` makes. */
function sharedOf(options, make) {
  const settings = clientText(options);
  // A refresh token is good for one use: whoever keeps tokens is told of each new one.
  const onTokens = options?.oauth?.onTokens;
  return new Shared((own, lines, level) => {
    const tokens = onTokens === undefined ? undefined : listen(onTokens);
    if (tokens !== undefined) own.tokens.push(tokens);
    return make(settings, language, bridge, tokens, lines, level);
  }, options);
}

/** Clients that were made of others. */
const derived = new FinalizationRegistry((life) => life.gone());

/** Clients that nobody has any more, and that were not closed. */
const dropped = new FinalizationRegistry(tellNoMore);

/** Longer than a renewal takes that goes on when its client is closed. */
const RENEWAL = 10 * 60_000;

/** A renewal under way uses the old refresh token up: whoever keeps tokens is still told of its new one. */
function tellNoMore({ listeners, tokens }) {
  listeners.forEach(unlisten);
  if (tokens.length > 0) setTimeout(() => tokens.forEach(unlisten), RENEWAL).unref();
}

function toLogger(logger) {
  if (!["debug", "info", "warn", "error"].every((level) => typeof logger[level] === "function")) {
    throw new ConfigError("`logger` must have the functions debug, info, warn and error, as `console` has");
  }
  return ({ level, message, fields }) => logger[level](message, fields);
}

/** What the next client of a class consists of, whatever a constructor of a subclass passes on. */
let parts;

/** Makes a client of what there is already. A subclass's own constructor runs, too. */
function madeOf(Class, given, options) {
  // Another one may be on its way to its constructor: a subclass's own, which runs first, makes clients too.
  const outer = parts;
  parts = { ...given, prototype: Class.prototype };
  try {
    return new Class({ ...options });
  } finally {
    parts = outer;
  }
}

class StoryCoreClient {
  #shared;
  #options;
  #life;
  #resources = {};

  constructor(options) {
    // A subclass's constructor may make another client before it calls this one. A proxy of a class has its prototype.
    const made = parts?.prototype === new.target.prototype ? parts : undefined;
    if (made !== undefined) parts = undefined;
    this.#options = made?.options;
    this.#life = new Life(made?.life);
    if (this.#life.isDerived) derived.register(this, this.#life);
    if (made !== undefined) {
      this.#shared = made.shared;
    } else {
      this.#shared = sharedOf(options, (...settings) => new NativeClient(...settings));
    }
  }

  static fromEnv(options) {
    const shared = sharedOf(options, (...settings) => NativeClient.fromEnv(...settings));
    return madeOf(this, { shared }, options);
  }

  withOptions(options) {
    checkOptions(options);
    const other = madeOf(this.constructor, { shared: this.#shared, life: this.#life, options: merged(options, this.#options) });
    // What a subclass, or its user, has put on this one.
    return Object.assign(other, this);
  }

  get platform() {
    return this.#shared.native.platform;
  }

  request(method, path, { query, json, body, contentType, contentLength, ...options } = {}) {
    let sent;
    try {
      sent = body === undefined ? { held: (asked) => asked } : require("./feed.js").feedOf(body);
    } catch (error) {
      return Promise.reject(error);
    }
    const about = { query, json, contentType: contentType ?? sent.type, length: contentLength };
    const asked = this._start(options, sent.told, (native, to, id, text) => {
      native.request(to, id, argumentsText([method, path, about]), sent.feed ?? sent.bytes, text);
    });
    return sent.held(asked.then((answer) => new RawResponse(answer)));
  }

  /** Makes a call by its operation's number; `params` has the names of what was taken out of it. For the generated code. */
  _call(operation, given, options, params) {
    options = this._options(options);
    const texts = () => {
      const text = optionsText(options);
      return [argumentsText(given, params), text];
    };
    return startOperation(this.#life, options?.signal, this.#shared.native, operation, texts);
  }

  /** Starts a call; `begin` is given the native client, the bridge, the call's number and its options as text. */
  _start(options, told, begin) {
    options = this._options(options);
    const shared = this.#shared;
    return start(this.#life, options?.signal, told, (bridge, id) => begin(shared.native, bridge, id, optionsText(options)));
  }

  /** The resource of this name, made when it is asked for first. */
  _resource(name, load) {
    return (this.#resources[name] ??= new (load())(this));
  }

  /** The native client, for what is native beside it. */
  get _native() {
    return this.#shared.native;
  }

  /** Opens what goes on by itself and has this number. */
  _open(operation, given, options) {
    return this._stream(options, (native, _bridge, text) => native.open(operation, argumentsText(given), text));
  }

  /** Opens a stream: `begin` is given the native client, the bridge and the options as text, when its first piece is wanted. */
  _stream(options, begin) {
    options = this._options(options);
    const shared = this.#shared;
    let source;
    // Several pieces may be wanted at a time; the first of them holds the stream and its request.
    const asked = new Set();
    return {
      next: () => {
        let number;
        const piece = start(this.#life, options?.signal, undefined, (bridge, id) => {
          source ??= begin(shared.native, bridge, optionsText(options));
          source.next(bridge, id);
          asked.add((number = id));
        });
        return piece.finally(() => asked.delete(number));
      },
      close: () => {
        asked.forEach(takeBack);
        source?.close();
      },
    };
  }

  /** The options of one call over those of the client. */
  _options(options) {
    // What is no object is told when the call begins.
    if (this.#options === undefined || (options !== null && typeof options !== "object")) return options ?? this.#options;
    return merged(options, this.#options);
  }

  async close() {
    const [shared, life] = [this.#shared, this.#life];
    if (life.isClosed) return;
    life.close();
    closeAll();
    if (life.isDerived) return;
    tellNoMore(shared);
    shared.native.close();
  }

  [asyncDispose]() {
    return this.close();
  }

  [dispose]() {
    void this.close();
  }

  [Symbol.for("nodejs.util.inspect.custom")]() {
    return `${this.constructor.name} { platform: '${this.platform}' }`;
  }
}

for (const [name, load] of resources) {
  const get = function () {
    return this._resource(name, load);
  };
  // Not printed with the client, and not to be replaced by accident.
  Object.defineProperty(StoryCoreClient.prototype, name, { get, enumerable: false, configurable: true });
}

/** An answer as it came. */
class RawResponse {
  constructor({ status, headers, requestId, body }) {
    this.status = status;
    this.headers = headers;
    this.requestId = requestId ?? undefined;
    this.body = body;
  }

  /** The body as text. */
  text() {
    return this.body.toString("utf8");
  }

  /** The body, read as JSON. */
  json() {
    try {
      return JSON.parse(this.text());
    } catch (error) {
      const { status, requestId } = this;
      throw new DecodeError(`the answer is no JSON: ${error.message}`, { status, requestId, attempts: 1 }, { cause: error });
    }
  }
}

/** `options` over `others`: what is left out of them, or `undefined`, is as there. Names of headers have no case. */
function merged(options, others) {
  const all = { ...others };
  for (const name of Object.keys(options ?? {})) if (options[name] !== undefined) all[name] = options[name];
  if (options?.headers && others?.headers) {
    all.headers = {};
    for (const headers of [others.headers, options.headers]) {
      for (const name in headers) if (headers[name] !== undefined) all.headers[name.toLowerCase()] = headers[name];
    }
  }
  return all;
}

function checkOptions(options) {
  if (typeof options !== "object" && options !== undefined) throw new ConfigError("the call's options must be an object");
}

/** Options as JSON, without those that stay in JavaScript. */
function optionsText(options) {
  checkOptions(options);
  if (options === undefined || options === null) return undefined;
  const { signal, ...rest } = options;
  for (const name in rest) if (rest[name] !== undefined) return settingsText(rest);
  return undefined;
}

/** A client's settings as JSON; PEM may be given as bytes. The logger stays in JavaScript. */
function clientText(given) {
  if (given === undefined || given === null) return "{}";
  if (typeof given !== "object") throw new ConfigError("the client's options must be an object");
  let { logger, logLevel, ...options } = given;
  if (options.oauth?.onTokens !== undefined) {
    if (typeof options.oauth.onTokens !== "function") throw new ConfigError("`onTokens` must be a function");
    const { onTokens, ...oauth } = options.oauth;
    options = { ...options, oauth };
  }
  const { caCertificates, clientCertificate } = options;
  if (caCertificates !== undefined) options = { ...options, caCertificates: pem(caCertificates) };
  if (clientCertificate) {
    const { chain, key, ...rest } = clientCertificate;
    options = { ...options, clientCertificate: { ...rest, chain: pem(chain), key: pem(key) } };
  }
  return settingsText(options);
}

function pem(given) {
  return given instanceof Uint8Array ? Buffer.from(given).toString() : given;
}

module.exports = { StoryCoreClient, RawResponse };
