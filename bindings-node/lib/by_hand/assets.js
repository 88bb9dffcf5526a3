// Uploads from whatever JavaScript has: a path, bytes, a Blob, a Response, a Web or Node stream, anything that can be
// iterated. And downloads: into a file, or as a stream.
"use strict";

const { fileURLToPath } = require("node:url");
const { listen, unlisten } = require("../bridge.js");
const { fromFields } = require("../errors.js");
const { feedOf, whole } = require("../feed.js");
const { argumentsText } = require("../json.js");
const { NativeSources } = require("../native.js");
const { Resource } = require("../resource.js");

class Assets extends Resource {
  async upload(source, options) {
    return (await this.uploadReport(source, options)).asset;
  }

  uploadReport(source, options) {
    const { onProgress, control, call, rest: described } = split(options);
    let from;
    try {
      from = sourceOf(source);
    } catch (error) {
      return Promise.reject(error);
    }
    if (from.fileName !== undefined) described.fileName ??= from.fileName;
    if (from.type) described.content_type ??= from.type;
    const told = (value) => {
      if (value === "more") from.told(value);
      else onProgress?.(value);
    };
    const uploading = this._client._start(call, told, (native, bridge, number, text) => {
      const given = argumentsText([described]);
      native.upload(bridge, number, from.given, given, control?._native, onProgress !== undefined, text);
    });
    return from.held(uploading.then(([asset, report]) => ({ asset, ...report })));
  }

  async *uploadAll(sources, options) {
    const { onProgress, control, call, rest: described } = split(options);
    const numbers = [];
    const telling = (told) => {
      const number = listen(told);
      numbers.push(number);
      return number;
    };
    const given = [...sources];
    const all = [];
    // Whoever made a stream is told that nobody reads it any more.
    const letGo = () => all.forEach(({ held }) => void held(Promise.resolve()));
    try {
      for (const source of given) all.push(sourceOf(source?.source ?? source));
    } catch (error) {
      letGo();
      throw error;
    }
    let thrown;
    const tell = (now) => {
      try {
        onProgress(now);
      } catch (error) {
        thrown ??= { error };
        files.close();
      }
    };
    const progress = onProgress === undefined ? undefined : telling(tell);
    const files = this._client._stream(call, (native, bridge, text) => {
      const list = new NativeSources();
      all.forEach(({ given: bytes, fileName, path, told, type }, index) => {
        const name = { fileName: path === undefined ? given[index].fileName ?? fileName : undefined };
        list.add(bridge, bytes, argumentsText([name.fileName], name), type || undefined, told === undefined ? 0 : telling(told));
      });
      return native.uploadAll(bridge, list, argumentsText([described]), control?._native, progress, text);
    });
    try {
      for (;;) {
        const file = await files.next();
        if (thrown !== undefined) throw thrown.error;
        if (file === null) return;
        if (file.error !== undefined) file.error = all[file.index].blamed(fromFields(file.error));
        yield { source: given[file.index], ...file };
      }
    } catch (error) {
      throw thrown === undefined ? error : thrown.error;
    } finally {
      files.close();
      numbers.forEach(unlisten);
      letGo();
    }
  }

  download(id, to, { maxStreams, ...options } = {}) {
    if (to instanceof URL) to = fileURLToPath(to);
    return this._client._start(options, undefined, (native, bridge, number, text) => {
      native.download(bridge, number, argumentsText([id, to, { maxStreams }]), text);
    });
  }

  async contentStream(id, options) {
    const { ContentStream } = require("../content.js");
    const source = this._client._stream(options, (native, _bridge, text) => native.openContent(argumentsText([id]), text));
    return new ContentStream(source, await source.next(), this._client._options(options)?.signal);
  }
}

/** The options of a call, what stays in JavaScript, and the rest. */
function split({ onProgress, control, timeout, maxRetries, idempotencyKey, headers, signal, ...rest } = {}) {
  return { onProgress, control, call: { timeout, maxRetries, idempotencyKey, headers, signal }, rest };
}

function sourceOf(source) {
  if ((typeof source === "string" || source instanceof URL) && /^https?:\/\//i.test(source)) {
    throw new TypeError("an address is no file: what another server sends is uploaded by `upload(await fetch(address), { fileName })`");
  }
  if (source instanceof URL) source = fileURLToPath(source);
  if (typeof source === "string") return { given: source, path: source, ...whole };
  const fed = feedOf(source, "a path, bytes");
  return { given: fed.feed ?? fed.bytes, ...fed };
}

module.exports = { Base: Assets };
