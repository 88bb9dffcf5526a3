// One environment's side of the bridge to the native threads: which promise waits for which call, and the one function
// through which all answers arrive, many at a time in one JSON text.
"use strict";

const { Bridge } = require("./native.js");
const { fromFields, native, CallCancelledError, DecodeError } = require("./errors.js");

// Loaded when they are asked for first: each file is a fifth of a millisecond of `require("storycore")`.
let columns;
let signals;

// What a value in a batch is; `src/bridge/outbox.rs` has the same numbers.
const RESULT = 0;
const FAILURE = 1;
const BYTES = 2;
const TOLD = 3;
const ANSWER = 4;
const COLUMNS = 5;
const SHAPE = 6;
const ROW = 7;

// What other numbers cost stands in docs/benchmarks.md, "Node".
/** With fewer calls under way each is handed over at once: there is nothing to save with so few. */
const FEW = 8;
/** So many calls are handed over together at most: a thread begins with the first when the last is there. */
const TOGETHER = 16;

/** The calls whose answers have not arrived, by their numbers. */
const waiting = new Map();
/** Those that are told of something now and then, by numbers of the same row. */
const listeners = new Map();
let last = 0;
/** Calls that are to be handed over together, with what they are, and the native client that makes them. */
let gathered = [];
let gatheredFor;
const settled = Promise.resolve();
/** The shapes of rows, with what makes objects of each, by the places that the native side gave them. */
const shapes = [];

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
    // One that was not handed over has no number.
    if (id !== undefined) bridge.cancel(id);
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

function objectOf(shape) {
  return (columns ??= require("./columns.js")).rows(shape);
}

function fetched(text, buffers) {
  const batch = JSON.parse(text);
  let next;
  for (let at = 0; at < batch.length; at = next) {
    const id = batch[at];
    const what = batch[at + 1];
    const value = batch[at + 2];
    next = at + 3;
    if (what === ROW) {
      const shape = shapes[value];
      next += shape.width;
      const call = waiting.get(id);
      if (call === undefined) continue;
      const { resolve, reject } = call;
      call.end();
      try {
        resolve((shape.object ??= objectOf(shape.text))(batch, at + 3));
      } catch (cause) {
        reject(new DecodeError(`the object is not as it was announced: ${cause.message}`, {}, { cause }));
      }
      continue;
    }
    if (what === SHAPE) {
      const [place, width, text] = value;
      // Made into a function by the first call that needs it: what goes wrong with that ends this call alone, and the native side,
      // which tells a shape once, is not told.
      shapes[place] = { width, text, object: undefined };
      continue;
    }
    const call = waiting.get(id) ?? listeners.get(id);
    // It was taken back, and this was on its way already.
    if (call === undefined) continue;
    if (what === TOLD) {
      tell(call, value);
      continue;
    }
    const { resolve, reject } = call;
    call.end();
    switch (what) {
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
        resolve(failing(value));
        break;
    }
  }
}

/**
 * A promise that is rejected with the native side's error. One made right here would have nothing of the program's in its stack:
 * V8 adds the functions that await a promise to errors that are made in the turn of one which that promise waits for. It does
 * from the second turn on, since in the first one the promise itself begins to wait.
 */
function failing(value) {
  return settled.then(nothing).then(() => {
    throw fromFields(value);
  });
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
    signal = checked(owner, signal);
    const id = (last = (last + 1) >>> 0);
    const call = new Call(id, owner, resolve, reject, told, signal);
    native(() => begin(bridge, id));
    waiting.set(id, call);
    watch(call);
  });
}

/**
 * Starts a call of an operation, which `to` makes; `texts` gives its arguments and its options as JSON. When many are under way
 * those that the program makes in one turn are handed over together: crossing to the native side costs more than a call itself.
 */
function startOperation(owner, signal, to, operation, texts) {
  return new Promise((resolve, reject) => {
    signal = checked(owner, signal);
    const [args, options] = texts();
    const call = new Call(undefined, owner, resolve, reject, undefined, signal);
    if (waiting.size < FEW) {
      const id = (last = (last + 1) >>> 0);
      native(() => to.start(bridge, id, operation, args, options));
      call.id = id;
      waiting.set(id, call);
      watch(call);
    } else {
      // It may be handed over at once, and be at its end then.
      watch(call);
      gather(to, { call, operation, args, options });
    }
  });
}

function gather(to, given) {
  if (gathered.length > 0 && gatheredFor !== to) handOver();
  gatheredFor = to;
  gathered.push(given);
  if (gathered.length >= TOGETHER) return handOver();
  if (gathered.length > 1) return;
  // Behind what goes on now anyway: each answer that came with the last ones, and some functions that wait for it. A promise's
  // turns belong to the language: no test replaces them by a clock of its own, as it does with timers and `process.nextTick`.
  settled.then(nothing).then(nothing).then(handOver);
}

/** Hands over what was gathered, but for what was taken back meanwhile. */
function handOver() {
  if (gathered.length === 0) return;
  const to = gatheredFor;
  const given = gathered.filter(({ call }) => call.reject !== undefined);
  [gathered, gatheredFor] = [[], undefined];
  if (given.length === 0) return;
  const first = (last + 1) >>> 0;
  for (const { call } of given) {
    call.id = last = (last + 1) >>> 0;
    waiting.set(call.id, call);
  }
  try {
    native(() => {
      if (given.length === 1) {
        const [{ operation, args, options }] = given;
        return to.start(bridge, first, operation, args, options);
      }
      const texts = given.map(({ operation, args, options }) => `[${operation},${args},${options ?? null}]`);
      to.startAll(bridge, first, given.length, `[${texts.join()}]`);
    });
  } catch (error) {
    for (const { call } of given) {
      const { reject } = call;
      call.end();
      reject(error);
    }
  }
}

function nothing() {}

function watch(call) {
  if (call.signal !== undefined) (signals ??= require("./signals.js")).watch(call.signal, call);
}

/** The signal, if there is one and the call may begin. */
function checked(owner, signal) {
  if (owner.isClosed) throw closed();
  if (signal === undefined || signal === null) return undefined;
  if (typeof signal.addEventListener !== "function") {
    throw new TypeError("`signal` must be an AbortSignal");
  }
  if (signal.aborted) throw signal.reason;
  return signal;
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
  for (const call of [...waiting.values(), ...gathered.map(({ call }) => call)]) {
    // One that was taken back has no owner any more.
    if (call.owner?.isClosed) call.takeBack()(closed());
  }
}

function closed() {
  return new CallCancelledError("the client was closed");
}

module.exports = { bridge, start, startOperation, listen, unlisten, takeBack, closeAll };
