// Uploads from everything that JavaScript has for bytes, and downloads, against the local platform.
"use strict";

const assert = require("node:assert/strict");
const { createHash, randomBytes } = require("node:crypto");
const { createReadStream } = require("node:fs");
const { mkdtemp, readFile, rm, writeFile } = require("node:fs/promises");
const { createServer } = require("node:http");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { PassThrough, Readable } = require("node:stream");
const { after, before, test } = require("node:test");
const { pathToFileURL } = require("node:url");
const { APITimeoutError, CallCancelledError, InvalidRequestError, StoryCoreError, UploadControl, UploadError } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

const bytes = randomBytes(300_000);
const sha256 = createHash("sha256").update(bytes).digest("hex");
let platform, client, folder, file;

before(async () => {
  platform = await LocalPlatform.start();
  client = platform.client();
  folder = await mkdtemp(join(tmpdir(), "storycore-"));
  file = join(folder, "film.mp4");
  await writeFile(file, bytes);
});

after(async () => {
  await client?.close();
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The same bytes in pieces. */
async function* pieces(length = 50_000) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

test("a path, bytes, Blobs, and Node, Web and any other streams arrive as they are", async () => {
  const sources = {
    path: [file, {}],
    url: [pathToFileURL(file), {}],
    buffer: [bytes, { fileName: "a.mp4" }],
    arrayBuffer: [bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), { fileName: "a.mp4" }],
    blob: [new Blob([bytes]), { fileName: "a.mp4" }],
    file: [new File([bytes], "a.mp4", { type: "video/mp4" }), {}],
    "file stream": [createReadStream(file), {}],
    readable: [Readable.from(pieces()), { fileName: "a.mp4" }],
    "web stream": [Readable.toWeb(Readable.from(pieces())), { fileName: "a.mp4" }],
    response: [new Response(bytes), { fileName: "a.mp4" }],
    generator: [pieces(7), { fileName: "a.mp4" }],
    list: [[bytes], { fileName: "a.mp4" }],
  };
  for (const [name, [source, options]] of Object.entries(sources)) {
    const asset = await client.media.upload(source, options);
    assert.deepEqual([asset.sha256, asset.size, asset.type, asset.status], [sha256, bytes.length, "video", "ready"], name);
  }
});

test("what was read already is refused, and an empty source is not", async () => {
  const response = new Response(bytes);
  await response.arrayBuffer();
  const web = new Blob([bytes]).stream();
  for await (const _ of web);
  const node = createReadStream(file);
  for await (const _ of node);
  const generator = pieces();
  await client.media.upload(generator, { fileName: "a.mp4" });
  const broken = pieces();
  const refused = client.media.upload(broken, { fileName: "a.mp4", signal: AbortSignal.abort() });
  await assert.rejects(refused, { name: "AbortError" });
  for (const [name, source] of Object.entries({ response, web, node, body: response.body, generator, broken })) {
    const read = (error) => error instanceof TypeError && /was read.* already/.test(error.message);
    await assert.rejects(client.media.upload(source, { fileName: "a.mp4" }), read, name);
    await assert.rejects(client.request("POST", "/api/assets/upload", { body: source }), read, name);
  }
  const other = pieces();
  const both = client.media.uploadAll([{ source: other, fileName: "a.mp4" }, response]);
  await assert.rejects(both.next(), /was read already/);
  assert.equal((await other.next()).done, true, "the stream beside it is closed");
  const list = [bytes];
  for (let time = 0; time < 2; time++) assert.equal((await client.media.upload(list, { fileName: "a.mp4" })).size, bytes.length);
  for (const empty of [new Response("").body, new Blob([]).stream(), Readable.from([]), new Response("")]) {
    assert.equal((await client.media.upload(empty, { fileName: "a.txt" })).size, 0);
  }
});

test("a large stream goes up piece by piece, and its progress is told", async () => {
  const told = [];
  const large = (async function* () {
    for (let number = 0; number < 80; number++) yield bytes;
  })();
  const asset = await client.media.upload(large, { fileName: "long.bin", onProgress: (progress) => told.push(progress) });
  assert.equal(asset.size, 80 * bytes.length);
  const last = told.at(-1);
  assert.deepEqual([last.sent, last.acknowledged, last.total], [asset.size, asset.size, asset.size]);
  const { data } = { data: await platform.requests({ method: "PATCH" }) };
  assert(data.length > 1, "it was resumable");
});

test("a file goes up in parallel parts and comes down again", async () => {
  const large = join(folder, "large.bin");
  await writeFile(large, Buffer.concat(Array(20).fill(bytes)));
  const asset = await client.media.upload(large, { multipartBelow: 0, chunkSize: 1024 * 1024, journal: join(folder, "journal"), name: "Large" });
  assert.deepEqual([asset.name, asset.size], ["Large", 20 * bytes.length]);
  await client.media.download(asset.id, join(folder, "down.bin"));
  assert((await readFile(join(folder, "down.bin"))).equals(await readFile(large)));
  const small = await client.media.upload(bytes, { fileName: "s.bin" });
  assert((await client.media.content(small.id)).equals(bytes));
});

test("a signal ends an upload with its reason, and its stream with it", async () => {
  const abort = new AbortController();
  const reason = new Error("enough");
  let isClosed = false;
  const endless = (async function* () {
    try {
      for (let number = 0; ; number++) {
        if (number === 100) abort.abort(reason);
        yield bytes;
      }
    } finally {
      isClosed = true;
    }
  })();
  await assert.rejects(client.media.upload(endless, { fileName: "endless.bin", signal: abort.signal }), reason);
  await new Promise((resolve) => setImmediate(resolve));
  assert(isClosed);
});

test("an upload whose stream stands still ends as any other", { timeout: 60_000 }, async () => {
  // Each gives one piece and then none, and says when the next one is waited for.
  const generator = (stands) => {
    const stream = (async function* () {
      yield bytes;
      stands();
      await new Promise(() => {});
    })();
    return { stream };
  };
  const node = (stands) => {
    const stream = new PassThrough();
    stream.write(bytes);
    stream.once("drain", stands);
    return { stream, isClosed: () => stream.destroyed };
  };
  const web = (stands) => {
    let [pulls, isClosed] = [0, false];
    const pull = (controller) => {
      if (pulls++ === 0) return controller.enqueue(bytes);
      stands();
      return new Promise(() => {});
    };
    const cancel = () => {
      isClosed = true;
    };
    return { stream: new ReadableStream({ pull, cancel }, { highWaterMark: 0 }), isClosed: () => isClosed };
  };
  const reason = new Error("enough");
  for (const [name, made] of Object.entries({ generator, node, web })) {
    for (const [how, rejected] of [["signal", (error) => error === reason], ["timeout", APITimeoutError], ["close", CallCancelledError]]) {
      const abort = new AbortController();
      const ours = platform.client();
      let stands;
      const standing = new Promise((resolve) => (stands = resolve));
      const { stream, isClosed } = made(stands);
      const timeout = how === "timeout" ? 300 : undefined;
      const ended = assert.rejects(ours.media.upload(stream, { fileName: "still.bin", signal: abort.signal, timeout }), rejected, `${name}, ${how}`);
      // On a busy machine its time may be over before.
      await Promise.race([standing, ended]);
      // The piece before is on its way.
      await new Promise((resolve) => setImmediate(resolve));
      if (how === "signal") abort.abort(reason);
      if (how === "close") await ours.close();
      await ended;
      assert(isClosed?.() ?? true, `${name} is told, ${how}`);
      await ours.close();
    }
  }
});

test("an upload that is cancelled is taken back", async () => {
  const control = new UploadControl();
  const endless = (async function* () {
    for (let number = 0; ; number++) {
      if (number === 150) control.cancel();
      yield bytes;
    }
  })();
  await assert.rejects(client.media.upload(endless, { fileName: "cancelled.bin", control }), CallCancelledError);
});

test("a stream that fails says so, and what is no source is told at once", async () => {
  const failing = (async function* () {
    yield bytes;
    throw new Error("the disk is on fire");
  })();
  await assert.rejects(client.media.upload(failing, { fileName: "x.bin" }), (error) => error instanceof UploadError && /on fire/.test(error.message));
  await assert.rejects(client.media.upload(join(folder, "none")), UploadError);
  await assert.rejects(client.media.upload(bytes), (error) => error instanceof InvalidRequestError && error.param === "fileName");
  await assert.rejects(client.media.upload(7), TypeError);
  await assert.rejects(client.media.upload(file, { nmae: "x" }), { param: "nmae" });
});

test("what a stream threw is the last cause of its upload's error", async () => {
  const mine = new Error("the disk is on fire", { cause: new Error("a short circuit") });
  const failing = async function* () {
    yield bytes;
    throw mine;
  };
  const last = (error) => {
    assert(error instanceof StoryCoreError, error);
    while (error !== mine && error.cause instanceof Error) error = error.cause;
    return error;
  };
  const fails = (call) => call.then(assert.fail, last);
  assert.equal(await fails(client.media.upload(failing(), { fileName: "x.bin" })), mine);
  assert.equal(await fails(client.media.upload(failing(), { fileName: "x.bin", multipartBelow: 0 })), mine);
  assert.equal(await fails(client.request("POST", "/api/projects", { body: failing(), contentType: "application/json" })), mine);
  assert.equal(mine.cause.message, "a short circuit");
  for await (const { error } of client.media.uploadAll([{ source: failing(), fileName: "x.bin" }])) assert.equal(last(error), mine);
  const text = (async function* () {
    throw "no error but a text";
  })();
  const error = await client.media.upload(text, { fileName: "x.bin" }).then(assert.fail, (error) => error);
  let end = error;
  while (end instanceof Error) end = end.cause;
  assert.equal(end, "no error but a text");
});

test("what onProgress throws ends the upload, and nothing else", { timeout: 30_000 }, async () => {
  const uncaught = [];
  const hear = (error) => uncaught.push(error);
  process.on("uncaughtException", hear);
  try {
    const mine = new Error("no more");
    const throwing = () => {
      throw mine;
    };
    let isClosed = false;
    const endless = async function* () {
      try {
        for (;;) yield bytes;
      } finally {
        isClosed = true;
      }
    };
    const beside = client.media.upload(file);
    await assert.rejects(client.media.upload(endless(), { fileName: "endless.bin", onProgress: throwing }), (error) => error === mine);
    await new Promise((resolve) => setImmediate(resolve));
    assert(isClosed, "nobody reads the stream any more");
    await beside;
    isClosed = false;
    const all = async () => {
      for await (const _ of client.media.uploadAll([file, { source: endless(), fileName: "a.bin" }], { onProgress: throwing }));
    };
    await assert.rejects(all(), (error) => error === mine);
    await new Promise((resolve) => setImmediate(resolve));
    assert(isClosed, "nobody reads the stream any more");
    const late = async () => {
      for await (const _ of client.media.uploadAll([file, file], { atOnce: 1, onProgress: throwing })) {
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    await assert.rejects(late(), (error) => error === mine);
    // A signal that ended the call first is why it ended.
    const abort = new AbortController();
    const reason = new Error("enough");
    const both = () => {
      abort.abort(reason);
      throw mine;
    };
    const ended = client.media.upload(endless(), { fileName: "endless.bin", onProgress: both, signal: abort.signal });
    await assert.rejects(ended, (error) => error === reason);
    const body = JSON.stringify({ id: "job_1", status: "processing" });
    await platform.fault({ path: "/api/jobs/job_1", times: 0, action: { status: 200, body } });
    await assert.rejects(client.jobs.wait("job_1", { onProgress: throwing }), (error) => error === mine);
    assert.deepEqual(uncaught, []);
  } finally {
    await platform.clearFaults();
    process.off("uncaughtException", hear);
  }
});

test("a file that knows its media type has it, alone or among others", async () => {
  const blob = new File([bytes], "film.bin", { type: "video/x-own" });
  const response = () => new Response(bytes, { headers: { "content-type": "audio/x-own" } });
  const alone = [await client.media.upload(blob), await client.media.upload(response(), { fileName: "a.bin" })];
  const among = [];
  const sources = [blob, { source: response(), fileName: "a.bin" }, { source: bytes, fileName: "b.mp4" }];
  for await (const { index, asset } of client.media.uploadAll(sources)) among[index] = asset.content_type;
  assert.deepEqual(alone.map((asset) => asset.content_type), ["video/x-own", "audio/x-own"]);
  assert.deepEqual(among, ["video/x-own", "audio/x-own", "video/mp4"]);
  for await (const { asset } of client.media.uploadAll([blob], { content_type: "video/mp4" })) {
    assert.equal(asset.content_type, "video/mp4", "what is said of all comes first");
  }
});

test("the body of a fetch is uploaded while it arrives", async () => {
  const server = createServer((_request, response) => Readable.from(pieces()).pipe(response.writeHead(200, { "content-type": "video/mp4" })));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const asset = await client.media.upload(await fetch(`http://127.0.0.1:${server.address().port}/`), { fileName: "fetched.mp4" });
    assert.deepEqual([asset.sha256, asset.content_type], [sha256, "video/mp4"]);
  } finally {
    server.close();
  }
});

test("requests of one's own have JSON, bytes and streams", async () => {
  const made = await client.request("POST", "/api/projects", { json: { name: "Raw" } });
  assert.deepEqual([made.status, made.json().name, made.headers["content-type"]], [201, "Raw", "application/json"]);
  const sent = async function* () {
    yield '{"name":';
    yield '"Streamed"}';
  };
  const streamed = await client.request("POST", "/api/projects", { body: sent(), contentType: "application/json" });
  assert.equal(streamed.json().name, "Streamed");
  const listed = await client.request("GET", "/api/projects", { query: { limit: 1, name: "Raw" }, headers: { "x-team": "cut" } });
  assert.equal(listed.json().pagination.total, 1);
  await assert.rejects(client.request("GET", "/api/projects?x=1"), { kind: "config" });
  const both = client.request("POST", "/api/projects", { json: { name: "Two" }, body: bytes });
  await assert.rejects(both, { kind: "config", param: "body", attempts: 0 });
});
