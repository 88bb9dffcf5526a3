// The metrics of all clients of this process, under the contract's names. Nothing is counted before that is asked for.
"use strict";

const native = require("./native.js");

/** Counts from now on. */
function enable() {
  native.enableMetrics();
}

/** What was counted so far. */
function snapshot() {
  return JSON.parse(native.metricsSnapshot());
}

module.exports = { enable, snapshot };
