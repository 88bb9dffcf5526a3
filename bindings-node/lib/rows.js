// Objects of a page whose keys were sent once. One constructor a set of keys makes them, so that V8 knows their shape at once.
"use strict";

/** The constructors by their keys. */
const makers = new Map();
/** More sets of keys than a platform has; one that makes them up does not fill the memory. */
const MOST = 256;

/** `[[key…],[value…],[value…]…]` as objects. */
function objects([keys, ...rows]) {
  const name = JSON.stringify(keys);
  let make = makers.get(name);
  if (make === undefined) {
    if (makers.size === MOST) makers.clear();
    makers.set(name, (make = maker(keys)));
  }
  for (let at = 0; at < rows.length; at++) rows[at] = make(rows[at]);
  return rows;
}

function maker(keys) {
  // In a literal `__proto__` would not be a key like another.
  const fields = keys.map((key, at) => `${key === "__proto__" ? '["__proto__"]' : JSON.stringify(key)}:row[${at}]`);
  try {
    return new Function("row", `return {${fields.join(",")}}`);
  } catch {
    // Started with `--disallow-code-generation-from-strings`.
    return (row) => Object.fromEntries(keys.map((key, at) => [key, row[at]]));
  }
}

module.exports = { objects };
