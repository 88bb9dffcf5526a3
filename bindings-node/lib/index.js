// What `require("storycore")` gives; `index.mjs` gives the same to `import`, so that there is one of each class.
"use strict";

const { fromFields, native, ...errors } = require("./errors.js");
const { StoryCoreClient, RawResponse } = require("./client.js");
const { Authorization } = require("./oauth.js");
const { UploadControl } = require("./upload_control.js");
const metrics = require("./metrics.js");
const { version } = require("../package.json");

module.exports = { StoryCoreClient, StoryCoreSDK: StoryCoreClient, RawResponse, Authorization, UploadControl, metrics, version, ...errors };
