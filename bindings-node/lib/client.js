// The client: how it is made, how it is closed, how it makes a call. Its resources are generated, in `resources`.
"use strict";

const { NativeClient } = require("./native.js");
const { start, takeBack, closeAll } = require("./bridge.js");
const { native, ConfigError } = require("./errors.js");
const { resources } = require("./resources/index.js");

const { bun, deno, node } = process.versions;
const language = bun ? `bun ${bun}` : deno ? `deno ${deno}` : `node ${node}`;

const asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");
const dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");

/** What a client and those that `withOptions` made of it share. */
class Shared {
  isClosed = false;

  constructor(nativeClient) {
    this.native = nativeClient;
  }
}

class StoryCoreClient {
  #shared;
  #options;

  constructor(options) {
    if (options instanceof Shared) {
      this.#shared = options;
    } else {
      const settings = text(options, "the client's options");
      this.#shared = new Shared(native(() => new NativeClient(settings, language)));
    }
    for (const [name, Resource] of resources) {
      // Not printed with the client, and not to be replaced by accident.
      Object.defineProperty(this, name, { value: new Resource(this), enumerable: false });
    }
  }

  static fromEnv() {
    return new this(new Shared(native(() => NativeClient.fromEnv())));
  }

  withOptions(options) {
    const other = new this.constructor(this.#shared);
    other.#options = { ...this.#options, ...options, headers: { ...this.#options?.headers, ...options?.headers } };
    return other;
  }

  get platform() {
    return this.#shared.native.platform;
  }

  /** Makes a call by its operation's number. For the generated code. */
  _call(operation, given, options) {
    return this._start(options, undefined, (native, bridge, id, text) => {
      native.start(bridge, id, operation, JSON.stringify(given), text);
    });
  }

  /** Starts a call; `begin` is given the native client, the bridge, the call's number and its options as text. */
  _start(options, told, begin) {
    options = this._options(options);
    const shared = this.#shared;
    return start(shared, options?.signal, told, (bridge, id) => begin(shared.native, bridge, id, optionsText(options)));
  }

  /** Opens what goes on by itself. */
  _open(operation, given, options) {
    options = this._options(options);
    const shared = this.#shared;
    let source;
    let asked;
    return {
      next: () =>
        start(shared, options?.signal, undefined, (bridge, id) => {
          source ??= shared.native.open(operation, JSON.stringify(given), optionsText(options));
          source.next(bridge, id);
          asked = id;
        }),
      close: () => {
        takeBack(asked);
        source?.close();
      },
    };
  }

  /** The options of one call over those of the client. */
  _options(options) {
    if (this.#options === undefined) return options;
    if (options === undefined || options === null) return this.#options;
    return { ...this.#options, ...options, headers: { ...this.#options.headers, ...options.headers } };
  }

  async close() {
    const shared = this.#shared;
    if (shared.isClosed) return;
    shared.isClosed = true;
    closeAll(shared);
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

/** Options as JSON, without those that stay in JavaScript. */
function optionsText(options) {
  if (options === undefined || options === null) return undefined;
  if (typeof options !== "object") throw new ConfigError("the call's options must be an object");
  const { signal, ...rest } = options;
  for (const name in rest) if (rest[name] !== undefined) return JSON.stringify(rest);
  return undefined;
}

function text(options, what) {
  if (options === undefined || options === null) return "{}";
  if (typeof options !== "object") throw new ConfigError(`${what} must be an object`);
  return JSON.stringify(options, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value));
}

module.exports = { StoryCoreClient };
