// Objects of a page whose keys were sent once, and the values of each key beside one another: V8 parses those faster than the
// objects, and faster than an array for each. One function a shape makes them, so that V8 knows their shape at once.
"use strict";

/** The functions by the shapes, as JSON. */
const makers = new Map();
/** More shapes than a platform has; one that makes them up does not fill the memory. */
const MOST = 256;

/** `[shape,count,column…]` as objects: what `page-columns` writes. */
function objects([shape, count, ...columns]) {
  let make = makers.get(shape);
  if (make === undefined) {
    if (makers.size === MOST) makers.clear();
    makers.set(shape, (make = maker(JSON.parse(shape), columns.length)));
  }
  for (let number = 0; number < columns.length; number++) columns[number] = whole(columns[number], count);
  return make(columns, count);
}

/** The values of a column, of which those that several objects have may stand there once. */
function whole(column, count) {
  if (Array.isArray(column)) return column;
  const all = new Array(count);
  if (column === null || typeof column !== "object") return all.fill(column);
  const { few, which } = column;
  for (let at = 0; at < count; at++) all[at] = few[which.charCodeAt(at) - 48];
  return all;
}

function maker(shape, width) {
  const names = Array.from({ length: width }, (_, number) => `c${number}`);
  const body = `const [${names}] = columns;
    const all = [];
    for (let at = 0; at < count; at++) all.push(${literal(shape)});
    return all;`;
  try {
    return new Function("columns", "count", body);
  } catch {
    // Started with `--disallow-code-generation-from-strings`.
    return (columns, count) => Array.from({ length: count }, (_, at) => made(shape, columns, at));
  }
}

/** An object of this shape, as JavaScript. */
function literal(of) {
  if (typeof of === "number") return `c${of}[at]`;
  // In a literal `__proto__` would not be a key like another.
  const name = (key) => (key === "__proto__" ? '["__proto__"]' : JSON.stringify(key));
  return `{${Object.keys(of).map((key) => `${name(key)}:${literal(of[key])}`)}}`;
}

/** The same object at once. */
function made(of, columns, at) {
  if (typeof of === "number") return columns[of][at];
  return Object.fromEntries(Object.keys(of).map((key) => [key, made(of[key], columns, at)]));
}

module.exports = { objects };
