// One listener a signal, however many calls it is to end: Node warns of a leak from the eleventh on.
"use strict";

/** What is to be told when a signal is aborted, by signals. */
const watched = new WeakMap();

/**
 * Calls `watcher.abort()` when the signal is aborted. A watcher that is watched no more must hold nothing: of a set, too, V8
 * keeps what was taken out, see `Call` in `bridge.js`.
 */
function watch(signal, watcher) {
  let all = watched.get(signal);
  if (all === undefined) {
    all = new Set();
    all.listener = () => {
      watched.delete(signal);
      for (const watcher of all) watcher.abort();
    };
    watched.set(signal, all);
    signal.addEventListener("abort", all.listener, { once: true });
  }
  all.add(watcher);
}

/** Calls it no more. */
function unwatch(signal, watcher) {
  const all = watched.get(signal);
  if (all === undefined || !all.delete(watcher) || all.size > 0) return;
  watched.delete(signal);
  signal.removeEventListener("abort", all.listener);
}

module.exports = { watch, unwatch };
