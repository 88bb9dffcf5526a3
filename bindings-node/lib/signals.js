// One listener a signal, however many calls it is to end: Node warns of a leak from the eleventh on.
"use strict";

/** What is to be told when a signal is aborted, by signals. */
const watched = new WeakMap();

/** Tells `told` when the signal is aborted. */
function watch(signal, told) {
  let all = watched.get(signal);
  if (all === undefined) {
    all = new Set();
    all.listener = () => {
      watched.delete(signal);
      for (const told of all) told();
    };
    watched.set(signal, all);
    signal.addEventListener("abort", all.listener, { once: true });
  }
  all.add(told);
}

/** Tells it no more. */
function unwatch(signal, told) {
  const all = watched.get(signal);
  if (all === undefined || !all.delete(told) || all.size > 0) return;
  watched.delete(signal);
  signal.removeEventListener("abort", all.listener);
}

module.exports = { watch, unwatch };
