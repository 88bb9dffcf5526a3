// Bytes and streams on their way to the native side. A stream is read as fast as it is sent, and no faster: the native side
// asks for each piece.
"use strict";

const { basename } = require("node:path");
const { NativeFeed } = require("./native.js");
const { StoryCoreError } = require("./errors.js");

/**
 * What a body is: `bytes`, or a `feed` that `told` goes on with when a piece is wanted. `held` closes the stream when what it
 * is for has ended; `blamed` gives an error that has what the stream threw behind it.
 */
function feedOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return { bytes: bytesOf(source), ...whole };
  }
  if (typeof Blob === "function" && source instanceof Blob) {
    return { ...fed(iterable(source.stream())), fileName: source.name, type: source.type };
  }
  if (typeof Response === "function" && source instanceof Response) {
    if (source.body === null) throw new TypeError("the response has no body");
    return { ...fed(iterable(source.body)), type: source.headers.get("content-type") ?? undefined };
  }
  if (source !== null && typeof source === "object") {
    // `fs.createReadStream` says which file it reads.
    const fileName = typeof source.path === "string" ? basename(source.path) : undefined;
    if (source[Symbol.asyncIterator] || source[Symbol.iterator]) return { ...fed(source), fileName };
    if (typeof source.getReader === "function") return fed(iterable(source));
  }
  throw new TypeError("what is sent must be bytes, a Blob, a Response, or a stream of bytes");
}

/** Of what is no stream. */
const whole = { held: (ending) => ending, blamed: (error) => error };

function fed(stream) {
  const feed = new NativeFeed();
  const reader = new Reader(stream, feed);
  const blamed = (error) => reader.blamed(error);
  const held = (ending) =>
    ending
      // Whoever made the stream is told that nobody reads it any more, and before anybody hears of the end.
      .finally(() => reader.close())
      .catch((error) => {
        throw blamed(error);
      });
  return { feed, told: () => void reader.more(), held, blamed };
}

/** Reads a stream piece by piece, when it is asked to. */
class Reader {
  #iterator;
  #feed;
  #isDone = false;
  /** What the stream threw, and in which words the native side was told. */
  #thrown;

  constructor(stream, feed) {
    this.#iterator = stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
    this.#feed = feed;
  }

  async more() {
    if (this.#isDone) return;
    try {
      const { done, value } = await this.#iterator.next();
      if (done) {
        this.#isDone = true;
        this.#feed.end();
      } else {
        this.#feed.push(bytesOf(value));
      }
    } catch (error) {
      this.#isDone = true;
      const words = `the stream cannot be read: ${error?.message ?? error}`;
      this.#thrown = { error, words };
      this.#feed.fail(words);
    }
  }

  /** Puts what the stream threw at the end of the causes of an error that came of it. */
  blamed(error) {
    if (this.#thrown === undefined || !(error instanceof StoryCoreError)) return error;
    const chain = [error];
    while (chain.at(-1).cause instanceof Error) chain.push(chain.at(-1).cause);
    // It may have failed for another reason, and before that.
    if (!chain.some(({ message }) => message.includes(this.#thrown.words))) return error;
    Object.defineProperty(chain.at(-1), "cause", { value: this.#thrown.error, writable: true, configurable: true });
    return error;
  }

  async close() {
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      await this.#iterator.return?.();
    } catch {
      // What became of the upload is what counts.
    }
  }
}

/** A Web stream, where it cannot be iterated by itself. */
function iterable(stream) {
  return stream[Symbol.asyncIterator] ? stream : readAll(stream);
}

async function* readAll(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

function bytesOf(piece) {
  if (piece instanceof Uint8Array) return piece;
  if (piece instanceof ArrayBuffer) return new Uint8Array(piece);
  if (ArrayBuffer.isView(piece)) return new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  if (typeof piece === "string") return Buffer.from(piece);
  throw new TypeError("a stream that is uploaded must give bytes");
}

module.exports = { feedOf, whole };
