// The handle that steers an upload.
"use strict";

const { NativeControl } = require("./native.js");

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

module.exports = { UploadControl };
