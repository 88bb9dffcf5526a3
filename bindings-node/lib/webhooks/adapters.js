// Webhooks in Express, Fastify, Hono and whatever speaks Fetch. Each verifies the bytes as they arrived; where a parser was
// there before, the error says how to keep it away.
"use strict";

const { WebhookSignatureError } = require("../errors.js");

/** The most that a delivery may have, unless told otherwise. */
const LIMIT = 1024 * 1024;

/** So much of a delivery that is too long is read behind what it may have; its sender hears the answer long before. */
const DRAINED = 16 * 1024 * 1024;

const BROKEN_OFF = "the delivery was broken off";

/** A mistake of the program's, not of the sender's: it must be seen, and not be answered with 400. */
function trap(message) {
  const error = new WebhookSignatureError(message);
  error.statusCode = 500;
  return error;
}

function refusal(error) {
  return { error: { code: "invalid_signature", message: error.message } };
}

/** Middleware for Express: the verified event is `request.event`. It goes before any body parser, or stands alone. */
function expressWebhook(webhook, { limit = LIMIT } = {}) {
  return (request, response, next) => {
    receive(request, limit)
      .then((body) => {
        request.event = webhook.verify(body, request.headers);
        next();
      })
      .catch((error) => {
        if (!(error instanceof WebhookSignatureError) || error.statusCode !== undefined) next(error);
        else response.status(400).json(refusal(error));
      });
  };
}

async function receive(request, limit) {
  if (Buffer.isBuffer(request.body)) return request.body;
  // A parser has read the stream: nothing is left of the bytes.
  if (request.readableEnded || request._body) {
    throw trap(
      "a body parser has read this request before its signature was verified: put the webhook's route before " +
        "app.use(express.json()), or give that route express.raw({ type: \"*/*\" })",
    );
  }
  if (request.destroyed) throw new Error(BROKEN_OFF);
  return whole(request, limit);
}

/**
 * A request's bytes. One that is too long flows on into nothing, so that its sender hears the answer and may use the connection
 * again; leaving a `for await` over it would take the socket from the request, which handlers of errors ask for an address. One
 * that goes on and on is broken off.
 */
function whole(request, limit) {
  return new Promise((resolve, reject) => {
    const pieces = [];
    let length = 0;
    let isTooLong = false;
    request.on("data", (piece) => {
      length += piece.length;
      if (length <= limit) {
        pieces.push(Buffer.isBuffer(piece) ? piece : Buffer.from(piece));
        return;
      }
      if (isTooLong) {
        if (length > limit + DRAINED) request.destroy();
        return;
      }
      isTooLong = true;
      pieces.length = 0;
      const error = new Error(`the delivery has more than ${limit} bytes`);
      // The names under which Express, and what stands behind it, look for an answer's status.
      error.status = error.statusCode = 413;
      reject(error);
    });
    request.once("end", () => resolve(Buffer.concat(pieces)));
    request.once("error", reject);
    request.once("close", () => reject(new Error(BROKEN_OFF)));
    // Listening alone does not do it where somebody has paused it.
    request.resume();
  });
}

/**
 * Makes the routes of a Fastify scope receive webhooks: `request.event` is verified.
 *
 *     app.register(async (scope) => {
 *       fastifyWebhook(scope, webhook);
 *       scope.post("/webhook", async (request) => …);
 *     });
 */
function fastifyWebhook(scope, webhook, { limit = LIMIT } = {}) {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: limit }, (_request, body, done) => done(null, body));
  scope.decorateRequest("event", null);
  scope.addHook("preHandler", async (request, reply) => {
    if (request.body !== undefined && request.body !== null && !Buffer.isBuffer(request.body)) {
      throw trap(
        "a content type parser has read this request before its signature was verified: call fastifyWebhook in a scope of " +
          "its own (app.register) and add no content type parser there",
      );
    }
    try {
      request.event = webhook.verify(request.body ?? Buffer.alloc(0), request.headers);
    } catch (error) {
      if (!(error instanceof WebhookSignatureError)) throw error;
      return reply.code(400).send(refusal(error));
    }
  });
}

/** The event that a Fetch `Request` brings: Next.js, Remix, Cloudflare, Deno, Bun. */
async function verifyRequest(webhook, request) {
  if (request.bodyUsed) {
    throw trap(
      "this request's body was read before its signature was verified: verify first, and take the event's fields in place of " +
        "request.json(), or verify request.clone()",
    );
  }
  return webhook.verify(new Uint8Array(await request.arrayBuffer()), request.headers);
}

/** Middleware for Hono: the verified event is `c.get("event")`. */
function honoWebhook(webhook) {
  return async (context, next) => {
    if (context.req.raw.bodyUsed) {
      throw trap(
        "this request's body was read before its signature was verified: put the webhook's middleware before validators and " +
          "whatever calls c.req.json()",
      );
    }
    // Through Hono, which keeps the body for handlers that read it too.
    const body = new Uint8Array(await context.req.arrayBuffer());
    try {
      context.set("event", webhook.verify(body, context.req.raw.headers));
    } catch (error) {
      if (!(error instanceof WebhookSignatureError)) throw error;
      return context.json(refusal(error), 400);
    }
    await next();
  };
}

module.exports = { expressWebhook, fastifyWebhook, honoWebhook, verifyRequest };
