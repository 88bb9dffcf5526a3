// Bytes and streams on their way to the native side. A stream is read as fast as it is sent, and no faster: the native side
// asks for each piece.
"use strict";

const { basename } = require("node:path");
const { isDisturbed, isReadable } = require("node:stream");
const { NativeFeed } = require("./native.js");
const { StoryCoreError } = require("./errors.js");

/**
 * What a body is: `bytes`, or a `feed` that `told` goes on with when a piece is wanted. `held` closes the stream when what it
 * is for has ended; `blamed` gives an error that has what the stream threw behind it.
 */
function feedOf(source, first = "bytes") {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return { bytes: bytesOf(source), ...whole };
  }
  if (typeof Blob === "function" && source instanceof Blob) {
    return { ...fed(source.stream()), fileName: source.name, type: source.type };
  }
  if (typeof Response === "function" && source instanceof Response) {
    if (source.body === null) throw new TypeError("the response has no body");
    if (source.bodyUsed) throw new TypeError("the response's body was read already: what is sent would be empty");
    return { ...fed(source.body), type: source.headers.get("content-type") ?? undefined };
  }
  if (source !== null && typeof source === "object") {
    // `fs.createReadStream` says which file it reads.
    const fileName = typeof source.path === "string" ? basename(source.path) : undefined;
    if (isWebStream(source) || source[Symbol.asyncIterator] || source[Symbol.iterator]) {
      if (wasRead(source)) throw new TypeError("the stream was read already, and can be sent once only");
      return { ...fed(source), fileName };
    }
  }
  throw new TypeError(`what is sent must be ${first}, a Blob, a Response, or a stream of bytes`);
}

/** Iterators that were given, generators above all: what is left of one after its upload is not what was meant. */
const given = new WeakSet();

/** Of what is no stream. */
const whole = { held: (ending) => ending, blamed: (error) => error };

function fed(stream) {
  const feed = new NativeFeed();
  const reader = new Reader(stream, feed);
  if (reader.isItself) given.add(stream);
  const blamed = (error) => reader.blamed(error);
  const held = (ending) =>
    ending
      // Whoever made the stream is told that nobody reads it any more, and before anybody hears of the end, but for one that
      // stands still: nobody knows when it goes on.
      .finally(() => reader.close())
      .catch((error) => {
        throw blamed(error);
      });
  return { feed, told: () => void reader.more(), held, blamed };
}

/** Reads a stream piece by piece, when it is asked to. */
class Reader {
  #stream;
  #iterator;
  #feed;
  #isDone = false;
  /** Whether a piece was asked for that is not there yet. */
  #isWaiting = false;
  /** What the stream threw, and in which words the native side was told. */
  #thrown;

  constructor(stream, feed) {
    this.#stream = stream;
    this.#iterator = iteratorOf(stream);
    this.#feed = feed;
  }

  /** Whether the stream is its own iterator, which goes over it once. */
  get isItself() {
    return this.#iterator === this.#stream;
  }

  async more() {
    if (this.#isDone) return;
    try {
      const { done, value } = await this.#next();
      // It may have been closed meanwhile.
      if (this.#isDone) return;
      if (done) {
        this.#isDone = true;
        this.#feed.end();
      } else {
        this.#feed.push(bytesOf(value));
      }
    } catch (error) {
      if (this.#isDone) return;
      this.#isDone = true;
      const words = `the stream cannot be read: ${error?.message ?? error}`;
      this.#thrown = { error, words };
      this.#feed.fail(words);
    }
  }

  async #next() {
    this.#isWaiting = true;
    try {
      return await this.#iterator.next();
    } finally {
      this.#isWaiting = false;
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

  /** Says that nobody reads it any more, and waits until that has been heard where it does not stand still. */
  async close() {
    if (this.#isDone) return;
    this.#isDone = true;
    const isWaiting = this.#isWaiting;
    const told = this.#return();
    if (!isWaiting) return told;
    // A generator, which a Node stream's iterator is too, hears of it when it goes on, which may be never.
    if (isNodeStream(this.#stream)) this.#stream.destroy();
  }

  async #return() {
    try {
      await this.#iterator.return?.();
    } catch {
      // What became of the upload is what counts.
    }
  }
}

function isWebStream(source) {
  return typeof source.getReader === "function";
}

/** Whether a stream was sent before, or has ended because somebody read it: it would give a part or nothing, and no error. */
function wasRead(source) {
  if (given.has(source)) return true;
  if (isWebStream(source)) return isDisturbed?.(source) === true && isReadable?.(source) === false;
  return isNodeStream(source) && source.readableEnded === true;
}

function isNodeStream(source) {
  return typeof source.pipe === "function" && typeof source.destroy === "function";
}

function iteratorOf(stream) {
  if (isWebStream(stream)) return new WebPieces(stream.getReader());
  return stream[Symbol.asyncIterator]?.() ?? stream[Symbol.iterator]();
}

/** A Web stream's pieces. Its own iterator, where it has one, cancels the stream only when a piece that is asked for is there. */
class WebPieces {
  #reader;

  constructor(reader) {
    this.#reader = reader;
  }

  async next() {
    const piece = await this.#reader.read();
    if (piece.done) this.#reader.releaseLock();
    return piece;
  }

  async return() {
    await this.#reader.cancel();
    this.#reader.releaseLock();
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
