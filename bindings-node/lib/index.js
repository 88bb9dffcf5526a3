// What `require("storycore")` gives; `index.mjs` gives the same to `import`, so that there is one of each class.
"use strict";

const { fromFields, native, ...errors } = require("./errors.js");
const { StoryCoreClient, RawResponse } = require("./client.js");
const { version } = require("./tables.js");

module.exports = { StoryCoreClient, StoryCoreSDK: StoryCoreClient, RawResponse, version, ...errors };

// Loaded when they are asked for first: most programs need none of them, and loading is a fifth of a millisecond each.
const later = {
  Authorization: () => require("./oauth.js").Authorization,
  UploadControl: () => require("./upload_control.js").UploadControl,
  metrics: () => require("./metrics.js"),
};
for (const name in later) {
  Object.defineProperty(module.exports, name, { get: later[name], enumerable: true, configurable: true });
}
