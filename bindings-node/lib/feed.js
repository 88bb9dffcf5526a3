// Bytes and streams on their way to the native side. A stream is read as fast as it is sent, and no faster: the native side
// asks for each piece.
"use strict";

const { basename } = require("node:path");
const { NativeFeed } = require("./native.js");

/**
 * What a body is: `bytes`, or a `feed` that `told` goes on with when a piece is wanted. `held` closes the stream when what it
 * is for has ended.
 */
function feedOf(source) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return { bytes: bytesOf(source), held: (ending) => ending };
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

function fed(stream) {
  const feed = new NativeFeed();
  const reader = new Reader(stream, feed);
  // Whoever made the stream is told that nobody reads it any more.
  return { feed, told: () => void reader.more(), held: (ending) => ending.finally(() => reader.close()) };
}

/** Reads a stream piece by piece, when it is asked to. */
class Reader {
  #iterator;
  #feed;
  #isDone = false;

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
      this.#feed.fail(`the stream cannot be read: ${error?.message ?? error}`);
    }
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

module.exports = { feedOf };
