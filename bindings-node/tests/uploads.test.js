// Uploads from everything that JavaScript has for bytes, and downloads, against the local platform.
"use strict";

const assert = require("node:assert/strict");
const { createHash, randomBytes } = require("node:crypto");
const { createReadStream } = require("node:fs");
const { mkdtemp, readFile, rm, writeFile } = require("node:fs/promises");
const { createServer } = require("node:http");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { Readable } = require("node:stream");
const { after, before, test } = require("node:test");
const { pathToFileURL } = require("node:url");
const { CallCancelledError, InvalidRequestError, UploadControl, UploadError } = require("storycore");
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
});
