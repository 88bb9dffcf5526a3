// A page's objects are what `JSON.parse` would make of it, whichever way they came: keys once and values column by column if they
// are alike, as they stand there if not.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");
const { StoryCoreClient } = require("storycore");

const STRICT = "--disallow-code-generation-from-strings";

let server;
let client;
let page;

before(async () => {
  server = createServer((_, answer) => answer.setHeader("content-type", "application/json").end(page));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  client = new StoryCoreClient({ baseUrl: `http://127.0.0.1:${server.address().port}`, apiKey: "k" });
});

after(async () => {
  await client?.close();
  server?.close();
});

/** How often an object, an array included, is in this. */
function counted(value, seen = new Map()) {
  if (value === null || typeof value !== "object") return seen;
  seen.set(value, (seen.get(value) ?? 0) + 1);
  for (const each of Object.values(value)) counted(each, seen);
  return seen;
}

/** Twelve objects, each with what `fields` gives for its number: JSON without its braces. */
const twelve = (fields) => Array.from({ length: 12 }, (_, at) => `{"id":"p${at}",${fields(at)}}`);
const of = (values) => twelve((at) => `"of":${values[at % values.length]}`);

const pages = {
  "no objects": [],
  "one object": ['{"id":"p"}'],
  "three objects": Array(3).fill('{"id":"p","in":{}}'),
  "ids alone": Array.from({ length: 12 }, (_, at) => `{"id":"p${at}"}`),
  "objects that are all the same": Array(12).fill('{"id":"p","in":{"of":[{}],"no":{}},"none":null,"yes":true}'),
  "few texts": of(['"a"', '"b"', '""', '"\u00e9\u2028"', '"few"']),
  "eight values and nine": twelve((at) => `"eight":${at % 8},"nine":"${at % 9}"`),
  "words of each kind": of(["null", "true", "false", "0", '"null"']),
  "zeros with a sign": of(["0", "-0", "-0.0", "0e5"]),
  "the same zero with a sign": of(["-0"]),
  "numbers beyond a double": of(["1e400", "-1e400", "1e-400", "9007199254740993", "123456789012345678901234567890"]),
  "the same number beyond a double": of(["-1E+999"]),
  "numbers that are written in several ways": of(["1", "1.0", "1e0", "0.1e1", "10E-1"]),
  "escapes": of([String.raw`"\"\\\/\b\f\n\r\t"`, String.raw`"\u0000\u00e9\ud83d\ude00"`, String.raw`"\ud800"`, '"\u{1f600}"']),
  "the same escape": of([String.raw`"\\\"\udfff"`]),
  "arrays that look alike": of(["[]", "[[],{}]"]),
  "a text first, an object later": of(['"a"', '"a"', '{"few":["a"],"which":"0"}']),
  "an object first, a text later": of(['{"few":["a"],"which":"0"}', "[]", '"a"']),
  "objects with the names that columns have": of(['{"few":["a","b"],"which":"01"}']),
  "keys that differ": twelve((at) => (at === 11 ? '"b":1' : '"a":1')),
  "keys in another order": twelve((at) => (at % 2 ? '"a":1,"b":2' : '"b":2,"a":1')),
  "a key too few at the end": twelve((at) => (at === 11 ? '"a":1' : '"a":1,"b":2')),
  "a key too many at the end": twelve((at) => (at === 11 ? '"a":1,"b":2' : '"a":1')),
  "keys that differ within": twelve((at) => `"in":{"${at === 11 ? "b" : "a"}":${at}}`),
  "an object that is absent once": twelve((at) => `"in":${at === 11 ? null : '{"a":{"b":1}}'}`),
  "a key twice": twelve((at) => `"a":${at},"b":0,"a":"${at % 2}"`),
  "a key twice within": twelve((at) => `"in":{"a":{"b":${at}},"c":1,"a":[${at}],"c":{"d":1,"d":${at}}}`),
  "an object twice": twelve((at) => `"in":{"a":1},"in":{"b":${at}}`),
  "an object, and then a value": twelve((at) => `"in":{"a":1},"in":${at}`),
  "the key __proto__": twelve((at) => `"__proto__":${at % 2},"in":{"__proto__":{"polluted":true}}`),
  "the key __proto__ as an object": twelve((at) => `"__proto__":{"polluted":${at},"__proto__":null}`),
  "the key __proto__ as a few arrays": twelve((at) => `"__proto__":[${at % 2}],"__proto__":{"a":[]}`),
  "names of every object": twelve((at) => `"constructor":${at},"toString":{"hasOwnProperty":null},"valueOf":"${at % 2}"`),
  "keys that are numbers": twelve((at) => `"z":1,"7":${at % 2},"in":{"10":1,"9":{"b":0,"1":1},"-1":2,"01":3}`),
  "keys that are no names": twelve((at) => `"":${at},"a b":{"]}":1,"\u2028":2,"'\`\${":"x"},"c0":0,"at":1,"all":[]`),
  "a key with an escape": twelve((at) => String.raw`"\u0061":${at},"a":{"\"":1}`),
  "white space": twelve((at) => `\n "a" :\t{ "b" : ${at % 2} ,\r\n "c" : [ 1 , { } ] , "d" : { } } `),
  "objects deep within": twelve((at) => `"in":${'{"a":'.repeat(80)}${at % 2}${"}".repeat(80)}`),
};

for (const [name, objects] of Object.entries(pages)) {
  test(`a page is as JSON.parse gives it: ${name}`, async () => {
    page = `{"data":[${objects}],"pagination":{"total":${objects.length},"has_more":false}}`;
    const expected = JSON.parse(page);
    const { data } = await client.projects.list();
    assert.deepStrictEqual(data, expected.data);
    // The order of the keys, too.
    assert.equal(JSON.stringify(data), JSON.stringify(expected.data));
    assert.deepEqual(new Set(counted(data).values()), new Set([1]), "nothing that can be changed stands there twice");
    for (const object of data) {
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
      for (const field of Object.values(Object.getOwnPropertyDescriptors(object))) {
        assert(field.writable && field.enumerable && field.configurable);
      }
    }
    assert.equal({}.polluted, undefined);
  });
}

const isStrict = process.execArgv.includes(STRICT);

test("a page is as JSON.parse gives it where no code may be made of texts", { skip: isStrict }, async () => {
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  await promisify(execFile)(process.execPath, [STRICT, __filename], { env, timeout: 60_000 });
});
