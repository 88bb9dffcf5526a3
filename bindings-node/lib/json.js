// What goes to the native side, as JSON text. JSON has no word for NaN and Infinity, nor for a date that is none: each would be
// `null` there, which clears a field or takes a default, so that it is refused by its name.
"use strict";

const { ConfigError, InvalidRequestError } = require("./errors.js");

/** A `null` that is a value, or text that looks like one. */
const NULL = /[[:,]null[,\]}]/;

/** A call's arguments. `named` is the object that those were taken out of which stand by themselves. */
function argumentsText(given, named) {
  const text = JSON.stringify(given);
  // Few have a `null`, and most of those mean it: only they are looked through.
  if (NULL.test(text)) refuseLost(given, named, InvalidRequestError);
  return text;
}

/** What a client, a call or a webhook is set up with. */
function settingsText(given) {
  const text = JSON.stringify(given);
  if (NULL.test(text)) refuseLost(given, undefined, ConfigError);
  return text;
}

function refuseLost(given, named, Failure) {
  const lost = lostIn(given);
  if (lost === undefined) return;
  const { own, keys } = lost;
  // The fields of each argument begin a path.
  if (Array.isArray(given)) keys.pop();
  const path = keys.reduceRight(joined, "");
  const param = path || Object.keys(named ?? {}).find((name) => Object.is(named[name], own));
  throw new Failure(`${param === undefined ? "an argument" : `\`${param}\``} cannot be ${own}`, { param });
}

/** The first value in an object that is lost in its JSON, and the keys that lead there, its own first. */
function lostIn(object) {
  if (Array.isArray(object)) {
    for (let at = 0; at < object.length; at++) {
      const lost = lostAt(object, at);
      if (lost !== undefined) return lost;
    }
    return undefined;
  }
  for (const key of Object.keys(object)) {
    const lost = lostAt(object, key);
    if (lost !== undefined) return lost;
  }
  return undefined;
}

function lostAt(object, key) {
  const own = object[key];
  let value = own;
  // As `JSON.stringify` asks.
  if (own !== null && (typeof own === "object" || typeof own === "function" || typeof own === "bigint")) {
    if (typeof own.toJSON === "function") value = own.toJSON(String(key));
  }
  if (isLost(own, value)) return { own, keys: [key] };
  if (value === null || typeof value !== "object") return undefined;
  const lost = lostIn(value);
  lost?.keys.push(key);
  return lost;
}

/** A path and the key behind it, which is a number where it is an element's. */
function joined(path, key) {
  if (typeof key === "number") return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** Whether `own`, which is `value` for JSON, would be `null` there without meaning it. */
function isLost(own, value) {
  if (typeof value === "number") return !Number.isFinite(value);
  // Of whatever realm: test runners have several.
  return value === null && Object.prototype.toString.call(own) === "[object Date]";
}

module.exports = { argumentsText, settingsText };
