// An asset's bytes as they arrive: for `for await`, as a Web stream or as a Node one. The next piece is asked for when there is
// room for it, so that a slow reader slows the download down and nothing piles up.
"use strict";

const { Readable } = require("node:stream");
const { watch, unwatch } = require("./signals.js");

class ContentStream {
  #source;
  #signal;
  #failure;
  #isOver = false;
  /** Streams made of this one, which hear of an abort at once and not with their next piece. */
  #destroy;

  constructor(source, { size, contentType }, signal) {
    this.#source = source;
    this.size = size;
    this.contentType = contentType;
    this.#signal = signal ?? undefined;
    if (this.#signal !== undefined) watch(this.#signal, this.#watcher);
  }

  #watcher = {
    abort: () => {
      this.#failure = { reason: this.#signal.reason };
      this.cancel();
      this.#destroy?.(this.#signal.reason);
    },
  };

  async next() {
    if (this.#failure !== undefined) throw this.#failure.reason;
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const value = await this.#source.next();
      if (value !== null) return { done: false, value };
    } catch (error) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      if (this.#isOver) return { done: true, value: undefined };
      this.#failure = { reason: error };
      this.cancel();
      throw error;
    }
    this.cancel();
    return { done: true, value: undefined };
  }

  async return() {
    this.cancel();
    return { done: true, value: undefined };
  }

  cancel() {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#signal !== undefined) unwatch(this.#signal, this.#watcher);
    this.#source.close();
  }

  toWeb() {
    return new ReadableStream(
      {
        start: (controller) => {
          this.#destroy = (reason) => controller.error(reason);
        },
        pull: async (controller) => {
          const { done, value } = await this.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: () => this.cancel(),
      },
      { highWaterMark: 1 },
    );
  }

  toNode() {
    const stream = new Readable({
      read: () => {
        this.next().then(
          ({ done, value }) => stream.push(done ? null : value),
          (error) => stream.destroy(error),
        );
      },
      destroy: (error, done) => {
        this.cancel();
        done(error);
      },
    });
    this.#destroy = (reason) => stream.destroy(reason);
    return stream;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    return this.return();
  }
}

module.exports = { ContentStream };
