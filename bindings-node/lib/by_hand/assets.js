// Uploads from whatever JavaScript has: a path, bytes, a Blob, a Response, a Web or Node stream, anything that can be
// iterated. A stream is read as fast as it is sent, and no faster.
"use strict";

const { basename } = require("node:path");
const { fileURLToPath } = require("node:url");
const { NativeControl, NativeFeed } = require("../native.js");
const { Resource } = require("../resource.js");

class Assets extends Resource {
  upload(source, options = {}) {
    const { onProgress, control, timeout, maxRetries, idempotencyKey, headers, signal, ...described } = options;
    const call = { timeout, maxRetries, idempotencyKey, headers, signal };
    let taken;
    try {
      taken = sourceOf(source);
    } catch (error) {
      return Promise.reject(error);
    }
    if (taken.fileName !== undefined) described.fileName ??= taken.fileName;
    if (described.content_type === undefined && taken.type) described.content_type = taken.type;
    const feed = taken.stream && new NativeFeed();
    const reader = taken.stream && new Reader(taken.stream, feed);
    const told = (value) => {
      if (value === "more") void reader.more();
      else onProgress?.(value);
    };
    const uploading = this._client._start(call, told, (native, bridge, number, text) => {
      const given = JSON.stringify([described]);
      const from = taken.path ?? feed ?? taken.bytes;
      native.upload(bridge, number, from, given, control?._native, onProgress !== undefined, text);
    });
    // Whoever made the stream is told that nobody reads it any more.
    return reader === undefined ? uploading : uploading.finally(() => reader.close());
  }
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

function sourceOf(source) {
  if (typeof source === "string") return { path: source };
  if (source instanceof URL) return { path: fileURLToPath(source) };
  if (source instanceof Uint8Array) return { bytes: source };
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return { bytes: bytesOf(source) };
  if (typeof Blob === "function" && source instanceof Blob) {
    return { stream: iterable(source.stream()), fileName: source.name, type: source.type };
  }
  if (typeof Response === "function" && source instanceof Response) {
    if (source.body === null) throw new TypeError("the response has no body to upload");
    return { stream: iterable(source.body), type: source.headers.get("content-type") ?? undefined };
  }
  if (source !== null && typeof source === "object") {
    // `fs.createReadStream` says which file it reads.
    const fileName = typeof source.path === "string" ? basename(source.path) : undefined;
    if (source[Symbol.asyncIterator] || source[Symbol.iterator]) return { stream: source, fileName };
    if (typeof source.getReader === "function") return { stream: iterable(source) };
  }
  throw new TypeError("what is uploaded must be a path, bytes, a Blob, a Response, or a stream of bytes");
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

/** Pauses, resumes and cancels the upload that it was given to. */
class UploadControl {
  constructor() {
    Object.defineProperty(this, "_native", { value: new NativeControl(), enumerable: false });
  }

  pause() {
    this._native.pause();
  }

  resume() {
    this._native.resume();
  }

  cancel() {
    this._native.cancel();
  }
}

module.exports = { Base: Assets, UploadControl };
