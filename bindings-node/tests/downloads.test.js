// Downloads as streams and into files, and many uploads side by side, against the local platform.
"use strict";

const assert = require("node:assert/strict");
const { createHash, randomBytes } = require("node:crypto");
const { createWriteStream } = require("node:fs");
const { mkdtemp, readFile, rm, writeFile } = require("node:fs/promises");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { Writable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { after, before, beforeEach, test } = require("node:test");
const { CallCancelledError, InvalidRequestError, NotFoundError, UploadControl, UploadError } = require("storycore");
const { LocalPlatform } = require("storycore/testing");

const MIB = 1024 * 1024;
const bytes = randomBytes(8 * MIB);
const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const CONTENT = "/api/assets/*/content";
let platform, client, folder, asset;

before(async () => {
  platform = await LocalPlatform.start();
  client = platform.client();
  folder = await mkdtemp(join(tmpdir(), "storycore-"));
  asset = await client.media.upload(bytes, { fileName: "film.mp4", journal: false });
});

after(async () => {
  await client?.close();
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => platform.clearFaults());

async function all(pieces) {
  const list = [];
  for await (const piece of pieces) list.push(piece);
  return Buffer.concat(list);
}

test("an asset comes as an iterable, a Web stream and a Node stream", async () => {
  const content = await client.media.contentStream(asset.id);
  assert.deepEqual([content.size, content.contentType], [bytes.length, "video/mp4"]);
  assert((await all(content)).equals(bytes));
  const web = (await client.media.contentStream(asset.id)).toWeb();
  assert(web instanceof ReadableStream);
  assert(Buffer.from(await new Response(web).arrayBuffer()).equals(bytes));
  const to = join(folder, "piped.mp4");
  await pipeline((await client.media.contentStream(asset.id)).toNode(), createWriteStream(to));
  assert((await readFile(to)).equals(bytes));
  await assert.rejects(client.media.contentStream("ast_none"), NotFoundError);
});

test("a stream whose connection is cut goes on where it was", async () => {
  await platform.fault({ path: CONTENT, times: 2, action: { truncate: true } });
  assert.equal(sha256(await all(await client.media.contentStream(asset.id))), asset.sha256);
});

test("a slow reader slows the download down, and nothing piles up", async () => {
  const large = await client.media.upload(Buffer.alloc(96 * MIB, 7), { fileName: "large.bin", journal: false });
  const stream = (await client.media.contentStream(large.id)).toNode();
  await new Promise((resolve) => stream.once("readable", resolve));
  const before = process.memoryUsage().rss;
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert(process.memoryUsage().rss - before < 32 * MIB, "it waits for its reader");
  let read = 0;
  await pipeline(stream, new Writable({ write: (piece, _encoding, done) => setImmediate(done, void (read += piece.length)) }));
  assert.equal(read, 96 * MIB);
});

test("an abort ends a stream at once with its reason, in each of its forms", async () => {
  const read = {
    iterable: async (content, go) => {
      for await (const _ of content) go();
    },
    web: async (content, go) => {
      const reader = content.toWeb().getReader();
      while (!(await reader.read()).done) go();
    },
    node: (content, go) => pipeline(content.toNode(), new Writable({ write: (_piece, _encoding, done) => setImmediate(done, go()) })),
    // Nobody reads when it is aborted.
    idle: async (content, go) => {
      const node = content.toNode();
      const failed = new Promise((_, reject) => node.once("error", reject));
      setTimeout(go, 50);
      await failed;
    },
  };
  for (const [name, reading] of Object.entries(read)) {
    const abort = new AbortController();
    const reason = new Error(`enough of ${name}`);
    const content = await client.media.contentStream(asset.id, { signal: abort.signal });
    await assert.rejects(reading(content, () => abort.abort(reason)), reason);
  }
  await assert.rejects(client.media.contentStream(asset.id, { signal: AbortSignal.abort(new Error("before")) }), /before/);
});

test("an abort ends a stream that waits for its next piece, in each of its forms", async () => {
  const read = {
    iterable: (content) => all(content),
    web: (content) => new Response(content.toWeb()).arrayBuffer(),
    node: (content) => pipeline(content.toNode(), new Writable({ write: (_piece, _encoding, done) => done() })),
  };
  for (const [name, reading] of Object.entries(read)) {
    await platform.fault({ path: CONTENT, times: 0, action: { stall: true } });
    const abort = new AbortController();
    const reason = new Error(`enough of ${name}`);
    const content = await client.media.contentStream(asset.id, { signal: abort.signal });
    setTimeout(() => abort.abort(reason), 300);
    await assert.rejects(reading(content), reason);
    await assert.rejects(content.next(), reason);
  }
});

test("a stream that is left while it waits for its next piece is over", async () => {
  await platform.fault({ path: CONTENT, times: 0, action: { stall: true } });
  const content = await client.media.contentStream(asset.id);
  setTimeout(() => void content.return(), 300);
  for await (const piece of content) assert(piece.length > 0);
  assert.deepEqual(await content.next(), { done: true, value: undefined });
});

test("leaving a stream ends its request", async () => {
  const content = await client.media.contentStream(asset.id);
  for await (const piece of content) {
    assert(piece.length > 0);
    break;
  }
  assert.deepEqual(await content.next(), { done: true, value: undefined });
  const web = (await client.media.contentStream(asset.id)).toWeb();
  await web.cancel();
  (await client.media.contentStream(asset.id)).toNode().destroy();
});

test("a download into a file has options of its own", async () => {
  const to = join(folder, "down.mp4");
  const got = await client.media.download(asset.id, to, { maxStreams: 4, timeout: 60_000 });
  assert.equal(got.id, asset.id);
  assert((await readFile(to)).equals(bytes));
  await assert.rejects(client.media.download(asset.id, folder), { kind: "config" });
  await assert.rejects(client.media.download(asset.id, to, { maxStreams: "many" }), InvalidRequestError);
  await assert.rejects(client.media.download(asset.id, to, { streams: 4 }), { param: "streams" });
  const abort = new AbortController();
  abort.abort(new Error("not now"));
  await assert.rejects(client.media.download(asset.id, to, { signal: abort.signal }), /not now/);
});

test("many files go up side by side, and one that fails stops no other", async () => {
  const paths = await Promise.all(
    Array.from({ length: 20 }, async (_, number) => {
      const path = join(folder, number % 2 ? `${number}.txt` : `${number}.mp3`);
      await writeFile(path, `file ${number}`);
      return path;
    }),
  );
  const pieces = async function* () {
    yield "a ";
    yield "stream";
  };
  const sources = [...paths, join(folder, "none.mp4"), { source: Buffer.from("bytes"), fileName: "b.bin" }, { source: pieces(), fileName: "s.png" }];
  const told = [];
  const ended = [];
  const options = { atOnce: 5, journal: false, description: "one of many", onProgress: (progress) => told.push(progress) };
  for await (const file of client.media.uploadAll(sources, options)) ended[file.index] = file;
  assert.equal(ended.length, 23);
  for (const [index, path] of paths.entries()) {
    const { asset, source, error } = ended[index];
    assert.deepEqual([source, error, asset.type, asset.description], [path, undefined, index % 2 ? "document" : "audio", "one of many"]);
  }
  assert(ended[20].error instanceof UploadError && ended[20].asset === undefined);
  assert.deepEqual([ended[21].asset.sha256, ended[22].asset.sha256], [sha256("bytes"), sha256("a stream")]);
  assert.equal(ended[22].asset.type, "image");
  const last = told.at(-1);
  assert.deepEqual([last.files, last.filesDone, last.filesFailed], [23, 22, 1]);
});

test("many uploads end with their signal, their control, and when nobody wants them any more", async () => {
  const endless = () => ({
    fileName: "endless.bin",
    source: (async function* () {
      for (;;) yield bytes.subarray(0, 100_000);
    })(),
  });
  const abort = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => abort.abort(reason), 100);
  const run = async (options) => {
    const results = [];
    for await (const file of client.media.uploadAll([endless(), endless()], options)) results.push(file);
    return results;
  };
  await assert.rejects(run({ signal: abort.signal }), reason);
  const control = new UploadControl();
  setTimeout(() => control.cancel(), 100);
  const results = await run({ control });
  assert(results.length === 2 && results.every(({ error }) => error instanceof CallCancelledError));
  const left = endless();
  for await (const file of client.media.uploadAll([join(folder, "none"), left], {})) {
    assert(file.error instanceof UploadError);
    break;
  }
  assert.deepEqual(await left.source.next(), { done: true, value: undefined }, "its stream is closed");
});
