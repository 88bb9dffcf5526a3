// The local platform for tests.
/// <reference lib="esnext.disposable" />

import type { ClientOptions, StoryCoreClient } from "./index";

/** The local platform cannot be started, has ended, or refuses what it was told. */
export class LocalPlatformError extends Error {}

export interface LocalPlatformOptions {
  /** The `storycore` program. Default: what `STORYCORE_CLI` names, then the one on the path. */
  command?: string | undefined;
  /** Refuse every field and parameter that the specification does not know. */
  strict?: boolean | undefined;
  /** The text of the first key, at least 16 characters. Default: a random one. */
  apiKey?: string | undefined;
  /** Milliseconds within which it must be ready. Default 30 000. */
  startTimeout?: number | undefined;
}

/** Something that is to go wrong with coming requests. */
export interface Fault {
  /** The path as it is sent; `*` stands for any text. */
  path: string;
  /** Any without one. */
  method?: string | undefined;
  /** The first matching request that it hits, counted from 1. */
  nth?: number | undefined;
  /** How many it hits in a row; 0 is all from then on. Default 1. */
  times?: number | undefined;
  /** One or several of these. */
  action: {
    status?: number;
    body?: string;
    delay_ms?: number;
    drop_before?: boolean;
    drop_after?: boolean;
    truncate?: number;
    stall?: boolean | number;
    bad_json?: boolean;
    reset?: boolean;
  };
  /** Put into the answer. */
  headers?: { readonly [name: string]: string } | undefined;
}

/** A request that arrived, without its credential. */
export interface SeenRequest {
  /** By the machine's clock. */
  at: string;
  method: string;
  path: string;
  query: string | null;
  /** Names in lower case. */
  headers: { [name: string]: string };
  /** At most 16 KiB, and nothing of a file. */
  body: string | null;
  /** Of the answer; `null` while there is none. */
  status: number | null;
}

/** The whole platform on this machine, with nothing in it, in a process that ends with this one at the latest. */
export class LocalPlatform {
  private constructor();
  /**
   * Starts it.
   *
   *     await using platform = await LocalPlatform.start();
   */
  static start(options?: LocalPlatformOptions): Promise<LocalPlatform>;
  /** Its base URL. */
  readonly url: string;
  /** A key that may do everything. */
  readonly apiKey: string;
  /** Whose key it is. */
  readonly organizationId: string;
  /** Ends it. Does nothing when it has ended. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** What a program needs to find it: `STORYCORE_BASE_URL` and `STORYCORE_API_KEY`. */
  environment(): { STORYCORE_BASE_URL: string; STORYCORE_API_KEY: string };
  /** A client of it. */
  client(options?: ClientOptions): StoryCoreClient;
  /** Lets coming requests go wrong. */
  fault(fault: Fault): Promise<unknown>;
  /** The planted faults. */
  faults(): Promise<Fault[]>;
  /** Removes every fault. */
  clearFaults(): Promise<void>;
  /** What arrived, oldest first, the last 2000 at most. */
  requests(only?: { method?: string | undefined; path?: string | undefined }): Promise<SeenRequest[]>;
  /** Forgets what arrived. */
  clearRequests(): Promise<void>;
  /** The platform's time, after it was set to `now` or moved by `advance` milliseconds. */
  clock(change?: { now?: Date | undefined; advance?: number | undefined }): Promise<Date>;
  /** Empties it: every object, fault and request is gone, and its clock is right. Keys like `apiKey` stay. */
  reset(): Promise<void>;
  /** Another organization, which sees nothing of the first. */
  organization(name?: string): Promise<{ organization_id: string; user_id: string; api_key: string }>;
  /** What it has written to its log. */
  log(): string;
}
