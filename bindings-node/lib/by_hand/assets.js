// Uploads from whatever JavaScript has: a path, bytes, a Blob, a Response, a Web or Node stream, anything that can be
// iterated.
"use strict";

const { fileURLToPath } = require("node:url");
const { feedOf } = require("../feed.js");
const { NativeControl } = require("../native.js");
const { Resource } = require("../resource.js");

class Assets extends Resource {
  async upload(source, options) {
    return (await this.uploadReport(source, options)).asset;
  }

  uploadReport(source, options = {}) {
    const { onProgress, control, timeout, maxRetries, idempotencyKey, headers, signal, ...described } = options;
    const call = { timeout, maxRetries, idempotencyKey, headers, signal };
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
      const given = JSON.stringify([described]);
      const bytes = from.path ?? from.feed ?? from.bytes;
      native.upload(bridge, number, bytes, given, control?._native, onProgress !== undefined, text);
    });
    return from.held(uploading.then(([asset, report]) => ({ asset, ...report })));
  }
}

function sourceOf(source) {
  if (typeof source === "string") return { path: source, held: (uploading) => uploading };
  if (source instanceof URL) return { path: fileURLToPath(source), held: (uploading) => uploading };
  return feedOf(source);
}

/** Pauses, resumes and cancels the upload that it was given to. */
class UploadControl {
  constructor() {
    Object.defineProperty(this, "_native", { value: new NativeControl(), enumerable: false });
  }

  pause() {
    this._native.pause();
  }

  resume() {
    this._native.resume();
  }

  cancel() {
    this._native.cancel();
  }
}

module.exports = { Base: Assets, UploadControl };
