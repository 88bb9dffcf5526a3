// What goes to the native side, as JSON text. JSON has no word for NaN and Infinity, nor for a date that is none: each would be
// `null` there, which clears a field or takes a default, so that it is refused by its name.
"use strict";

const { ConfigError, InvalidRequestError } = require("./errors.js");

/** A call's arguments. `named` is the object that those were taken out of which stand by themselves. */
function argumentsText(given, named) {
  const text = JSON.stringify(given);
  // Few have a `null`, and most of those mean it: only they are looked through.
  if (text.includes("null")) refuseLost(given, named, InvalidRequestError);
  return text;
}

/** What a client, a call or a webhook is set up with. */
function settingsText(given) {
  const text = JSON.stringify(given);
  if (text.includes("null")) refuseLost(given, undefined, ConfigError);
  return text;
}

function refuseLost(given, named, Failure) {
  /** Where the objects stand that were seen. The fields of each argument begin a path. */
  const paths = new Map();
  JSON.stringify(given, function (key, value) {
    const isArgument = this === given && Array.isArray(given);
    const path = isArgument || !paths.has(this) ? "" : joined(paths.get(this), key, Array.isArray(this));
    const own = this[key];
    if (isLost(own, value)) {
      const param = path || Object.keys(named ?? {}).find((name) => Object.is(named[name], own));
      throw new Failure(`${param === undefined ? "an argument" : `\`${param}\``} cannot be ${own}`, { param });
    }
    if (typeof value === "object" && value !== null) paths.set(value, path);
    return value;
  });
}

function joined(path, key, isElement) {
  if (isElement) return `${path}[${key}]`;
  return path === "" ? key : `${path}.${key}`;
}

/** Whether `own`, which is `value` for JSON, would be `null` there without meaning it. */
function isLost(own, value) {
  if (typeof value === "number") return !Number.isFinite(value);
  // Of whatever realm: test runners have several.
  return value === null && Object.prototype.toString.call(own) === "[object Date]";
}

module.exports = { argumentsText, settingsText };
