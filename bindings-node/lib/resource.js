// What the classes of all resources have in common: their client, which is not printed.
"use strict";

class Resource {
  constructor(client) {
    Object.defineProperty(this, "_client", { value: client, enumerable: false });
  }
}

exports.Resource = Resource;
