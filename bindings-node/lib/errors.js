// The errors: one class a kind, each with the same fields. A native failure arrives as JSON and becomes one of them here.
"use strict";

class StoryCoreError extends Error {
  constructor(message, fields = {}, options = undefined) {
    super(message, options);
    const { kind, status, code, param, details, requestId, idempotencyKey, retryAfter, attempts, elapsed, retryable, body, job } =
      fields;
    this.kind = kind ?? this.constructor.kind ?? "internal";
    // Only what is known stands on the error, so that it prints short.
    const known = { status, code, param, details, requestId, idempotencyKey, retryAfter };
    for (const name in known) {
      if (known[name] !== undefined && known[name] !== null) this[name] = known[name];
    }
    this.attempts = attempts ?? 0;
    this.elapsed = elapsed ?? 0;
    this.retryable = retryable ?? false;
    // Long, and wanted seldom: they are there, and not printed.
    hidden(this, "body", body ?? undefined);
    hidden(this, "job", job ?? undefined);
  }
}
// A class property on each instance would be printed with every error.
Object.defineProperty(StoryCoreError.prototype, "name", { value: "StoryCoreError", writable: true, configurable: true });

function hidden(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
}

/** The classes by the kinds' names. */
const byKind = {};

function define(name, kind) {
  const made = { [name]: class extends StoryCoreError {} }[name];
  made.kind = kind;
  Object.defineProperty(made.prototype, "name", { value: name, writable: true, configurable: true });
  byKind[kind] = made;
  return made;
}

const classes = {};
for (const [name, kind] of require("./tables.js").kinds) classes[name] = define(name, kind);

/** What stood behind an error on the native side: no function of JavaScript, so that none is in its stack. */
function behind(words, cause) {
  const error = new Error(words, cause && { cause });
  error.stack = `Error: ${words}`;
  return error;
}

/** The error that the native side told of. */
function fromFields(fields) {
  const Class = byKind[fields.kind] ?? StoryCoreError;
  const cause = (fields.cause ?? []).reduceRight((inner, words) => behind(words, inner), undefined);
  return new Class(fields.message, fields, cause && { cause });
}

/** The error that a native function threw; what else it threw stays as it is. */
function fromThrown(error) {
  let fields;
  try {
    fields = JSON.parse(error.message);
  } catch {
    return error;
  }
  return fields && typeof fields.kind === "string" ? fromFields(fields) : error;
}

/** Runs a native function, whose errors become this package's. */
function native(work) {
  try {
    return work();
  } catch (error) {
    throw fromThrown(error);
  }
}

module.exports = { StoryCoreError, ...classes, fromFields, native };
