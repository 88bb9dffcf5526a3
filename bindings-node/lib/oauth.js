// Signing in with a browser's help: authorization code with PKCE.
"use strict";

const { start } = require("./bridge.js");
const { native } = require("./errors.js");
const { NativeAuthorization } = require("./native.js");

class Authorization {
  #native;

  constructor({ clientId, redirectUri, scopes = [] } = {}) {
    const given = JSON.stringify([clientId, redirectUri, scopes]);
    this.#native = native(() => new NativeAuthorization(given));
  }

  url(client) {
    return native(() => this.#native.url(client._native));
  }

  exchange(client, { code, state, signal } = {}) {
    const given = JSON.stringify([code, state]);
    return client._start({ signal }, undefined, (_, bridge, id) => {
      this.#native.exchange(bridge, id, client._native, given);
    });
  }
}

module.exports = { Authorization };
