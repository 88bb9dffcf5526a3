// One environment's side of the bridge to the native threads: which promise waits for which call, and the one function
// through which all answers arrive, many at a time in one JSON text.
"use strict";

const { Bridge } = require("./native.js");
const { fromFields, native, CallCancelledError, DecodeError } = require("./errors.js");

// Loaded when they are asked for first: each file is a third of a millisecond of `require("storycore")`.
let columns;
let signals;

// What a value in a batch is; `src/bridge/outbox.rs` has the same numbers.
const RESULT = 0;
const FAILURE = 1;
const BYTES = 2;
const TOLD = 3;
const ANSWER = 4;
const COLUMNS = 5;

/** The calls whose answers have not arrived, by their numbers. */
const waiting = new Map();
/** Those that are told of something now and then, by numbers of the same row. */
const listeners = new Map();
let last = 0;

// The others have no libuv, or one whose loop is driven by another one.
const { bun, deno, electron, nw } = process.versions;
const bridge = new Bridge(fetched, !(bun || deno || electron || nw));

/**
 * A call that nothing was heard of yet.
 *
 * Once it ends it holds nothing. Of a map that goes on for ever V8 keeps, behind each table that was outgrown, the next one: as
 * soon as one of them is in the old generation, those after it and all that ever stood in them survive every collection of the
 * young one. With the promises' values in them, pages were copied twice and waited for a collection of the whole heap.
 */
class Call {
  constructor(id, owner, resolve, reject, told, signal) {
    this.id = id;
    this.owner = owner;
    this.resolve = resolve;
    this.reject = reject;
    this.told = told;
    this.signal = signal;
  }

  end() {
    waiting.delete(this.id);
    if (this.signal !== undefined) signals.unwatch(this.signal, this);
    this.owner = this.resolve = this.reject = this.told = this.signal = undefined;
  }

  /** Ends it without an answer, and gives what rejects its promise. */
  takeBack() {
    const { id, reject } = this;
    this.end();
    bridge.cancel(id);
    return reject;
  }

  /** Its signal was aborted. */
  abort() {
    // What heard of it before may have ended this one: a content stream, whose close takes back what it waits for.
    if (this.signal === undefined) return;
    const { reason } = this.signal;
    this.takeBack()(reason);
  }
}

function fetched(text, buffers) {
  const batch = JSON.parse(text);
  for (let at = 0; at < batch.length; at += 3) {
    const id = batch[at];
    const call = waiting.get(id) ?? listeners.get(id);
    // It was taken back, and this was on its way already.
    if (call === undefined) continue;
    const value = batch[at + 2];
    if (batch[at + 1] === TOLD) {
      tell(call, value);
      continue;
    }
    const { resolve, reject } = call;
    call.end();
    switch (batch[at + 1]) {
      case RESULT:
        resolve(value);
        break;
      case COLUMNS: {
        const page = Array.isArray(value) ? value[1] : value;
        try {
          page.data = (columns ??= require("./columns.js")).objects(page.data);
          resolve(value);
        } catch (cause) {
          // What is wrong with one page must not take the rest of the batch with it.
          reject(new DecodeError(`the page is not as it was announced: ${cause.message}`, {}, { cause }));
        }
        break;
      }
      case BYTES:
        resolve(buffers[value]);
        break;
      case ANSWER:
        resolve({ ...value[1], body: buffers[value[0]] });
        break;
      case FAILURE:
        reject(fromFields(value));
        break;
    }
  }
}

/**
 * A function of the user's own must not take the others' answers with it. What it throws ends the call that told it; nobody waits
 * for anything of those that are told by a number of their own.
 */
function tell(call, value) {
  if (call.told === undefined) return;
  try {
    call.told(value);
  } catch (error) {
    if (call instanceof Call) {
      // It may have been ended before it threw, by its signal.
      if (call.reject !== undefined) call.takeBack()(error);
      return;
    }
    queueMicrotask(() => {
      throw error;
    });
  }
}

/**
 * Starts a call and gives the promise of its end. `begin` is given the bridge and the call's number; `owner` is the life of
 * the client that it ends with.
 */
function start(owner, signal, told, begin) {
  return new Promise((resolve, reject) => {
    if (owner.isClosed) throw closed();
    if (signal !== undefined && signal !== null) checkSignal(signal);
    else signal = undefined;
    if (signal?.aborted) throw signal.reason;
    const id = (last = (last + 1) >>> 0);
    const call = new Call(id, owner, resolve, reject, told, signal);
    native(() => begin(bridge, id));
    waiting.set(id, call);
    if (signal !== undefined) (signals ??= require("./signals.js")).watch(signal, call);
  });
}

function checkSignal(signal) {
  if (typeof signal.addEventListener !== "function") {
    throw new TypeError("`signal` must be an AbortSignal");
  }
}

/** Ends a call whose answer nobody wants any more. Somebody may wait for its end all the same. */
function takeBack(id) {
  waiting.get(id)?.takeBack()(new CallCancelledError("what it was asked of was closed"));
}

/** A number under which something native can tell `told`, as long as the environment lasts. */
function listen(told) {
  const id = (last = (last + 1) >>> 0);
  listeners.set(id, { told });
  return id;
}

/** Forgets such a number. */
function unlisten(id) {
  listeners.delete(id);
}

/** Ends every call of clients that are closed, and of those that were made of them. */
function closeAll() {
  for (const call of waiting.values()) {
    if (call.owner.isClosed) call.takeBack()(closed());
  }
}

function closed() {
  return new CallCancelledError("the client was closed");
}

module.exports = { bridge, start, listen, unlisten, takeBack, closeAll };
