// Waiting for a job: it tells of itself while it goes on.
"use strict";

const { argumentsText } = require("../json.js");
const { Resource } = require("../resource.js");

class Jobs extends Resource {
  wait(id, { timeout, onProgress, ...options } = {}) {
    return this._client._start(options, onProgress, (native, bridge, number, text) => {
      native.wait(bridge, number, argumentsText([id, { timeout }]), onProgress !== undefined, text);
    });
  }
}

exports.Base = Jobs;
