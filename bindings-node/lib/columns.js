// Objects whose keys were sent once. Of a page the values of each key come beside one another: V8 parses those faster than the
// objects, and faster than an array for each; single ones come as their values. One function a shape makes them, so that V8 knows
// their shape at once.
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
    for (let at = 0; at < count; at++) all.push(${literal(shape, (number) => `c${number}[at]`)});
    return all;`;
  try {
    return new Function("columns", "count", body);
  } catch {
    // Started with `--disallow-code-generation-from-strings`.
    return (columns, count) => Array.from({ length: count }, (_, at) => made(shape, (number) => columns[number][at]));
  }
}

/** An object of this shape, as JavaScript; `value` gives that for a number. */
function literal(of, value) {
  if (typeof of === "number") return value(of);
  // In a literal `__proto__` would not be a key like another.
  const name = (key) => (key === "__proto__" ? '["__proto__"]' : JSON.stringify(key));
  return `{${Object.keys(of).map((key) => `${name(key)}:${literal(of[key], value)}`)}}`;
}

/** The same object at once. */
function made(of, value) {
  if (typeof of === "number") return value(of);
  return Object.fromEntries(Object.keys(of).map((key) => [key, made(of[key], value)]));
}

/** Those that have been made. Each native thread tells of the shapes that it met. */
const rowsOf = new Map();

/** What makes an object of a shape out of an array in which its values stand one behind the other, from a place on. */
function rows(shape) {
  let known = rowsOf.get(shape);
  if (known === undefined) {
    if (rowsOf.size === MOST) rowsOf.clear();
    rowsOf.set(shape, (known = rowMaker(JSON.parse(shape))));
  }
  return known;
}

function rowMaker(shape) {
  try {
    return new Function("values", "at", `return ${literal(shape, (number) => `values[at+${number}]`)};`);
  } catch {
    return (values, at) => made(shape, (number) => values[at + number]);
  }
}

module.exports = { objects, rows };
