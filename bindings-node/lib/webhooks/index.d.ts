// The declarations of `storycore/webhooks`.

import type { Asset, Job, JsonObject, Project, Timestamp } from "../models";
import type { PlatformName } from "../index";

export { WebhookSignatureError } from "../errors";

interface EventOf<Name extends string, Data> {
  /** `evt_…`: the same however often it is delivered. */
  id: string;
  /** What happened. */
  event: Name;
  timestamp: Timestamp;
  organization_id: string;
  /** The object that it is about. */
  data: Data;
  /** The delivery as it arrived. */
  readonly raw: Uint8Array;
  /** The main fields that StoryCore repeats at the top, and what this version does not know. */
  [field: string]: unknown;
}

export type ProjectEvent = EventOf<
  "project.created" | "project.updated" | "project.deleted" | "project.status_changed",
  Project
>;
export type AssetEvent = EventOf<"asset.ready" | "asset.failed", Asset>;
export type JobEventDelivery = EventOf<"job.completed" | "job.failed" | "job.cancelled", Job>;
export type PortfolioEvent = EventOf<
  | "risk.created"
  | "risk.escalated"
  | "risk.resolved"
  | "decision.created"
  | "decision.approved"
  | "decision.rejected"
  | "report.generated"
  | "resource.overallocated"
  | "sprint.completed"
  | "sprint.velocity_drop"
  | "project.risk_prediction",
  JsonObject
>;

/**
 * What a webhook receives: `switch (event.event)` tells the types apart. Events of later versions of the platform come as
 * they are, and reach the switch's `default`; `isKnownEvent` tells them.
 */
export type WebhookEvent = ProjectEvent | AssetEvent | JobEventDelivery | PortfolioEvent;

/** An event of a later version of the platform. */
export type UnknownEvent = EventOf<string, unknown>;

/** Whether this version knows the event, so that its type is what it says. */
export function isKnownEvent(event: { event: string }): boolean;

/** A body as it arrived. */
export type RawBody = Uint8Array | ArrayBuffer | string;

/** Headers in whatever form they come. */
export type HeadersLike =
  | Iterable<readonly [string, string]>
  | { readonly [name: string]: string | readonly string[] | undefined };

export interface WebhookOptions {
  /** The platform whose own signature is taken beside Standard Webhooks. Default `storycore`. */
  platform?: PlatformName | undefined;
  /** How far a webhook's time may be from now, both ways, in milliseconds. Default 5 minutes. */
  tolerance?: number | undefined;
  /** Takes no delivery without the Standard Webhooks headers. Default false. */
  requireStandard?: boolean | undefined;
  /** What time it is. Default the system's. */
  clock?: (() => Date | number) | undefined;
}

/** Verifies what a webhook receives. */
export class Webhook {
  /** With the webhook's secret (`whsec_…`, or `whpk_…` for `v1a`); with several while one rotates. */
  constructor(secrets: string | readonly string[], options?: WebhookOptions);
  /**
   * Verifies a delivery and reads it. `body` must be the bytes as they arrived: JSON that was read and written again has
   * other bytes.
   *
   * @throws {WebhookSignatureError} saying what is wrong.
   */
  verify(body: RawBody, headers: HeadersLike): WebhookEvent;
}

export interface SignOptions {
  /** Default: one made of the time. */
  id?: string | undefined;
  /** Default: now. */
  at?: Date | undefined;
  /** Signs with this platform's own header in place of Standard Webhooks. */
  platform?: PlatformName | undefined;
}

/** The headers of a delivery as the platform signs it, for tests. A key of 32 bytes signs `v1a`. */
export function sign(secret: string | Uint8Array, body: RawBody, options?: SignOptions): { [name: string]: string };

/** Whether an event's id was taken before. */
export type Taken = "first" | "processing" | "done";

/** How long work may take and how long its end is remembered, in milliseconds. */
export interface ReplayTimes {
  readonly processing: number;
  readonly keep: number;
}

/** Where taken ids are kept: in Redis, in a database. */
export interface ReplayStore {
  /** Takes `id` for `processing` unless it was taken; says what it was. This must be one step, not two. */
  take(id: string, times: ReplayTimes): Promise<Taken>;
  /** Keeps `id` as done for `keep`. */
  done(id: string, times: ReplayTimes): Promise<void>;
  /** Forgets `id`, so that it can be taken again. */
  release(id: string, times: ReplayTimes): Promise<void>;
}

/** Keeps ids in this process's memory, a bounded number of them: the oldest go first. */
export class MemoryStore implements ReplayStore {
  /** `most`: default 100 000. */
  constructor(options?: { most?: number | undefined });
  take(id: string, times: ReplayTimes): Promise<Taken>;
  done(id: string, times: ReplayTimes): Promise<void>;
  release(id: string, times: ReplayTimes): Promise<void>;
}

/** Takes each event once. */
export class ReplayGuard {
  /** `processing`: default 5 minutes; `keep`: default 24 hours. */
  constructor(options?: { store?: ReplayStore | undefined } & { readonly [time in keyof ReplayTimes]?: number | undefined });
  /** `first`: do the work, then say `done`. `processing`: answer 409. `done`: answer 200 and do nothing. */
  take(id: string): Promise<Taken>;
  /** The work is done. */
  done(id: string): Promise<void>;
  /** The work failed: the next delivery takes it again. */
  release(id: string): Promise<void>;
}

export interface ReceiverOptions {
  /** The most bytes that a delivery may have. Default 1 MiB. */
  limit?: number | undefined;
}

/** What Express's handlers get behind `expressWebhook`. */
export interface WithEvent {
  event: WebhookEvent;
}

/**
 * Middleware for Express: the verified event is `request.event`. Put it on the webhook's route, before `express.json()`.
 *
 *     app.post("/webhook", expressWebhook(webhook), (request, response) => …)
 */
export function expressWebhook(
  webhook: Webhook,
  options?: ReceiverOptions,
): (request: any, response: any, next: (error?: unknown) => void) => void;

/**
 * Makes the routes of a Fastify scope receive webhooks: `request.event` is the verified event.
 *
 *     app.register(async (scope) => {
 *       fastifyWebhook(scope, webhook);
 *       scope.post("/webhook", async (request) => …);
 *     });
 */
export function fastifyWebhook(scope: any, webhook: Webhook, options?: ReceiverOptions): void;

/** Middleware for Hono: the verified event is `c.get("event")`. */
export function honoWebhook(webhook: Webhook): (context: any, next: () => Promise<void>) => Promise<any>;

/** The event that a Fetch `Request` brings: Next.js, Remix, Deno, Bun and others. */
export function verifyRequest(webhook: Webhook, request: Request): Promise<WebhookEvent>;
