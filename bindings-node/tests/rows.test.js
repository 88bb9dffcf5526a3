// Single objects are what `JSON.parse` would make of the answer, whichever way they came: as they stand there, or as their values
// alone once objects with their keys were met. Nobody may notice but by its speed.
"use strict";

const assert = require("node:assert/strict");
const { execFile } = require("node:child_process");
const { once } = require("node:events");
const { createServer } = require("node:http");
const { after, before, test } = require("node:test");
const { promisify } = require("node:util");
const { Worker } = require("node:worker_threads");
const { DecodeError, NotFoundError, StoryCoreClient } = require("storycore");

const STRICT = "--disallow-code-generation-from-strings";
/** Enough for a thread to learn a shape, and to use it. */
const MANY = 400;
/** So often, until a thread has: which one has how many of the calls is not said, and each learns less and less where it brings nothing. */
const ROUNDS = 20;

let server;
let baseUrl;
let client;
/** The answer for a number: the last part of the path. */
let answer;

before(async () => {
  server = createServer((request, response) => {
    request.resume();
    const { status = 200, body } = answer(Number(request.url.split("/").pop()));
    response.statusCode = status;
    response.setHeader("content-type", "application/json").end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  baseUrl = `http://127.0.0.1:${server.address().port}`;
  client = new StoryCoreClient({ baseUrl, apiKey: "k", maxRetries: 0 });
});

after(async () => {
  await client?.close();
  server?.closeAllConnections();
  server?.close();
});

/** What `get` gives for each number, with so many calls at a time. */
async function got(get, count = MANY, atOnce = 32) {
  const all = new Array(count);
  let next = 0;
  const some = async () => {
    while (next < count) {
      const number = next++;
      all[number] = await get(number).catch((error) => error);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, some));
  return all;
}

/** The texts that the native side sends meanwhile. */
async function sent(work) {
  const { parse } = JSON;
  const texts = [];
  JSON.parse = (text, ...rest) => {
    texts.push(String(text));
    return parse(text, ...rest);
  };
  try {
    await work();
  } finally {
    JSON.parse = parse;
  }
  return texts;
}

const PROJECT = (n) =>
  `{"id":"p${n}","name":"Film ${n}","status":"planned","progress":${n / 2},"budget":null,"start_date":"2026-06-1${n % 9}",` +
  `"settings":{"fps":${n % 60},"of":[{"a":${n}}]},"organization_id":"org","created_at":"2026-11-21T08:32:12.${100 + (n % 900)}Z","new":true}`;

/** Each what stands in an object behind its id: JSON without braces. */
const alike = {
  "every field": (n) => PROJECT(n).slice(1, -1).replace(/^"id":"[^"]*",/, ""),
  "an id alone": () => "",
  "numbers of each kind": (n) => `"progress":${[0, "-0", 1.5, 99999, 123456789012345][n % 5]},"a":${["-0", "9007199254740993", "1e4"][n % 3]}`,
  "texts of each kind": (n) => `"name":${['"é"', '"\\n\\"\\\\"', '"\\u00e9"', '"\u2028"', '"\\u0000"', "null"][n % 6]}`,
  "words and numbers in one place": (n) => `"a":${["null", "true", "false", "0", '"null"', "[]", "{}", "[[],{}]"][n % 8]}`,
  "keys that come and go": (n) => (n % 3 ? '"a":1,"b":2' : '"b":2'),
  "keys in another order": (n) => (n % 2 ? '"a":1,"b":2' : '"b":2,"a":1'),
  "keys of one's own": (n) => `"settings":{"k${n}":${n},"in":{"a":[${n}]}}`,
  "a key twice within an array": (n) => `"settings":{"of":[{"a":1,"b":${n},"a":2}]}`,
  "the key __proto__": (n) => `"__proto__":${n},"settings":{"__proto__":{"polluted":true}}`,
  "the key __proto__ as an object": (n) => `"__proto__":{"polluted":${n}}`,
  "names of every object": (n) => `"constructor":${n},"toString":{"hasOwnProperty":null},"valueOf":"${n}"`,
  "keys that are numbers": (n) => `"z":1,"7":${n},"settings":{"10":1,"9":{"b":0,"1":1},"-1":2,"01":3}`,
  "keys that are no names": (n) => `"":${n},"a b":{"]}":1,"\u2028":2,"'\`\${":"x"},"values":0,"at":1,"é":[]`,
};

/** The same of those that are always left as they stand there. */
const left = {
  "numbers beyond a double": (n) => `"a":1e-400,"n":${n}`,
  "white space": (n) => `\n "a" :\t{ "b" : ${n} ,\r\n "c" : [ 1 , { } ] , "d" : { } } `,
  "keys that are all different": (n) => `"k${n}":${n}`,
  "a key twice": (n) => `"a":${n},"b":0,"a":"${n}"`,
  "a key twice within": (n) => `"twice":{"a":{"b":${n}},"c":1,"a":[${n}],"c":{"d":1,"d":${n}}}`,
  "a key with an escape": (n) => String.raw`"\u0061":${n},"a":{"\"":1}`,
  "a field that is called data": (n) => `"data":{"id":"q","a":${n}}`,
  "objects deep within": (n) => `"in":${'{"a":'.repeat(80)}${n}${"}".repeat(80)}`,
};

for (const [name, rest] of Object.entries({ ...alike, ...left })) {
  test(`an object is as JSON.parse gives it: ${name}`, async () => {
    const body = (n) => `{"id":"p${n}"${rest(n) && ","}${rest(n)}}`;
    answer = (n) => ({ body: body(n) });
    let all;
    let isAlone = false;
    for (let round = 0; round < (name in alike ? ROUNDS : 1) && !isAlone; round++) {
      const texts = await sent(async () => (all = await got((n) => client.projects.get(`${n}`))));
      isAlone = texts.some((text) => /,"p\d+"[,\]]/.test(text));
    }
    assert.equal(isAlone, name in alike, "by its values alone");
    for (const [n, object] of all.entries()) {
      const expected = JSON.parse(body(n));
      assert.deepStrictEqual(object, expected);
      assert.equal(JSON.stringify(object), JSON.stringify(expected));
      assert.equal(Object.getPrototypeOf(object), Object.prototype);
      for (const field of Object.values(Object.getOwnPropertyDescriptors(object))) {
        assert(field.writable && field.enumerable && field.configurable);
      }
    }
    assert.equal({}.polluted, undefined);
  });
}

test("keys come once", async () => {
  answer = (n) => ({ body: PROJECT(n) });
  let texts = [];
  const isSent = (text) => texts.some((each) => each.includes(text));
  for (let round = 0; round < ROUNDS && (texts.length === 0 || isSent('"organization_id"')); round++) {
    texts = await sent(() => got((n) => client.projects.get(`${n}`)));
  }
  assert(isSent('"p7","Film 7","planned",3.5,null,"2026-06-17"') && !isSent('"organization_id"'));
});

test("one alone comes so, too", async () => {
  answer = (n) => ({ body: PROJECT(n) });
  let isAlone = false;
  for (let round = 0; round < ROUNDS && !isAlone; round++) {
    await got((n) => client.projects.get(`${n}`), MANY, 1);
    const texts = await sent(async () => assert.deepEqual(await client.projects.get("8"), JSON.parse(PROJECT(8))));
    isAlone = texts.some((each) => each.includes('"p8","Film 8",'));
  }
  assert(isAlone);
});

test("what is of the wrong kind is the error that it always was", async () => {
  const wrong = { 5: '"progress":"much"', 6: '"created_at":"soon"', 7: '"name":7', 8: '"settings":[]', 9: '"start_date":"2026-02-30"' };
  const param = { 5: "progress", 6: "created_at", 7: "name", 8: "settings", 9: "start_date" };
  const right = '"name":"n","progress":1,"settings":{"a":1},"start_date":null,"created_at":"2026-11-21T08:32:12Z"';
  const field = (n) => wrong[n % 10]?.split(":")[0];
  const body = (n) => `{"id":"p${n}",${right.replace(new RegExp(`${field(n)}:("[^"]*"|[^,]*)`), wrong[n % 10])}}`;
  answer = (n) => ({ body: body(n) });
  const all = await got((n) => client.projects.get(`${n}`));
  let messages = {};
  for (const [n, object] of all.entries()) {
    if (!(n % 10 in wrong)) {
      assert.deepStrictEqual(object, JSON.parse(body(n)));
      continue;
    }
    assert(object instanceof DecodeError, `${n}: ${body(n)}`);
    assert.equal(object.param, param[n % 10]);
    // Its columns are counted in the answer, whose numbers differ in length.
    const message = object.message.replace(/\d+/g, "N");
    assert.equal((messages[n % 10] ??= message), message);
  }
});

test("what is no object of its type stays the same error at its end", async () => {
  const cut = [PROJECT(1).slice(0, -1), `${PROJECT(1)}]`, `${PROJECT(1)}\f`, "", "[]", "7", '{"id":7}', PROJECT(1).replace("true", "tru")];
  answer = (n) => ({ body: n >= MANY ? cut[n - MANY] : PROJECT(n) });
  await got((n) => client.projects.get(`${n}`));
  const all = await got((n) => client.projects.get(`${MANY + n}`), cut.length);
  for (const error of all) assert(error instanceof DecodeError, String(error));
});

test("answers of several kinds that come together find their own calls", async () => {
  answer = (n) => (n % 5 === 0 ? { status: 404, body: '{"error":{"code":"not_found","message":"none"}}' } : { body: n % 5 === 1 ? job(n) : PROJECT(n) });
  const job = (n) => `{"id":"j${n}","type":"probe","status":"queued","parameters":{},"é":"${n}"}`;
  for (let round = 0; round < 3; round++) {
    const abort = new AbortController();
    const get = (n) => {
      if (n % 5 === 1) return client.jobs.get(`${n}`);
      const options = n % 5 === 2 ? { signal: abort.signal } : undefined;
      if (n % 50 === 49) abort.abort();
      return client.projects.get(`${n}`, options);
    };
    const all = await got(get, MANY, 64);
    for (const [n, object] of all.entries()) {
      if (n % 5 === 0) assert(object instanceof NotFoundError);
      else if (object !== abort.signal.reason) assert.deepStrictEqual(object, JSON.parse(n % 5 === 1 ? job(n) : PROJECT(n)));
    }
  }
});

/** What workers post that run a program with a client, `get` for an object and `texts` that the native side sends. */
async function posted(program, count = 1) {
  const text = `
    const { parentPort, workerData } = require("node:worker_threads");
    const texts = [];
    const { parse } = JSON;
    JSON.parse = (text, ...rest) => (texts.push(String(text)), parse(text, ...rest));
    const { DecodeError, StoryCoreClient } = require(workerData.path);
    const client = new StoryCoreClient({ baseUrl: workerData.baseUrl, apiKey: "k" });
    const all = () => Promise.allSettled(Array.from({ length: 100 }, (_, n) => client.projects.get(String(n))));
    (async () => { ${program} })();`;
  const workers = Array.from({ length: count }, () => new Worker(text, { eval: true, workerData: { baseUrl, path: require.resolve("storycore") } }));
  try {
    return await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

test("a worker is told the shapes itself", async () => {
  answer = (n) => ({ body: PROJECT(n) });
  await got((n) => client.projects.get(`${n}`));
  const program = `
    let told = -1, objects = [];
    for (let round = 0; round < ${4 * ROUNDS} && told < 0; round++) {
      objects = (await all()).map(({ value }) => value);
      told = texts.findIndex((text) => text.includes('"{\\\\"id\\\\":0,'));
    }
    const used = texts.findIndex((text) => /,"p\\d+","Film \\d+","planned",/.test(text));
    parentPort.postMessage({ told, used, objects });`;
  for (const { told, used, objects } of await posted(program, 2)) {
    assert(told >= 0 && used >= told, `told in text ${told}, used in ${used}`);
    assert.deepEqual(objects, Array.from(objects, (_, n) => JSON.parse(PROJECT(n))));
  }
});

test("where a shape's function cannot be had one call fails", async () => {
  answer = (n) => ({ body: PROJECT(n) });
  await got((n) => client.projects.get(`${n}`));
  const program = `
    const Module = require("node:module");
    const load = Module._load;
    let refused = 0;
    Module._load = function (name, ...rest) {
      if (name === "./columns.js" && refused++ === 0) throw new Error("EMFILE: too many open files");
      return load.call(this, name, ...rest);
    };
    let rounds = [];
    while (rounds.length < ${4 * ROUNDS} && refused < 2) rounds.push(await all());
    const failed = rounds.flat().filter(({ status }) => status === "rejected");
    const wrong = failed.map(({ reason }) => [reason instanceof DecodeError, reason.message, reason.cause.message]);
    parentPort.postMessage({ wrong, last: rounds.at(-1).filter((each) => each.value).map(({ value }) => value) });`;
  const [{ wrong, last }] = await posted(program);
  const why = "EMFILE: too many open files";
  assert.deepEqual(wrong, [[true, `the object is not as it was announced: ${why}`, why]]);
  for (const object of last) assert.deepEqual(object, JSON.parse(PROJECT(Number(object.id.slice(1)))));
});

const isStrict = process.execArgv.includes(STRICT);

test("objects are as JSON.parse gives them where no code may be made of texts", { skip: isStrict }, async () => {
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  await promisify(execFile)(process.execPath, [STRICT, __filename], { env, timeout: 300_000 });
});
