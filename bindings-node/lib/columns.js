// Objects whose keys were sent once. Of a page the values of each key come beside one another: V8 parses those faster than the
// objects, and faster than an array for each; single ones come as their values. One function a shape makes them, so that V8 knows
// their shape at once.
"use strict";

/** The functions by the shapes, as JSON: of pages, and of single objects, whose shapes each native thread tells that met them. */
const makers = new Map();
const rowMakers = new Map();
/** More shapes than a platform has; one that makes them up does not fill the memory. */
const MOST = 256;

/** `[shape,count,column…]` as objects: what `page-columns` writes. */
function objects([shape, count, ...columns]) {
  const make = once(makers, shape, (of) => maker(of, columns.length));
  for (let number = 0; number < columns.length; number++) columns[number] = whole(columns[number], count);
  return make(columns, count);
}

/** What `make` makes of a shape, made once and kept in `known`. */
function once(known, shape, make) {
  let made = known.get(shape);
  if (made === undefined) {
    if (known.size === MOST) known.clear();
    known.set(shape, (made = make(JSON.parse(shape))));
  }
  return made;
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

/** What makes an object of a shape out of an array in which its values stand one behind the other, from a place on. */
function rows(shape) {
  return once(rowMakers, shape, rowMaker);
}

function rowMaker(shape) {
  try {
    return new Function("values", "at", `return ${literal(shape, (number) => `values[at+${number}]`)};`);
  } catch {
    return (values, at) => made(shape, (number) => values[at + number]);
  }
}

module.exports = { objects, rows };
