// The declarations of `storycore`.
/// <reference lib="esnext.disposable" />

import type { UploadSource } from "./by_hand";
import type { CallOptions } from "./lists";
import type { Resources } from "./resources";

export * from "./errors";
export * from "./lists";
export * from "./models";
export * from "./resources";
export {
  UploadControl,
  type ContentStream,
  type DownloadOptions,
  type NamedSource,
  type UploadAllOptions,
  type UploadAllProgress,
  type UploadedFile,
  type UploadOptions,
  type UploadProgress,
  type UploadReport,
  type UploadSource,
  type WaitOptions,
} from "./by_hand";

/** The dialects of the API. */
export type PlatformName = "storycore" | "powalyze" | "hub_chantier" | "agents" | "registry";

/** How a client is set up. Every time is in milliseconds. */
export interface ClientOptions {
  /** Opens the platform with an API key. */
  apiKey?: string | undefined;
  /** Opens it with JWTs that the client signs and renews. */
  jwt?: JwtCredential | undefined;
  /** Opens it with OAuth tokens that the client gets and renews. */
  oauth?: OAuthCredential | undefined;
  /** Opens it with nothing, for what needs no credential. */
  anonymous?: boolean | undefined;
  /** Where it is, without path and query. Default: the platform's own address. */
  baseUrl?: string | undefined;
  /** Default `storycore`. */
  platform?: PlatformName | undefined;
  /**
   * The most that a call may take, retries and waits included. Default 180 000. An upload or a download takes as long as its
   * bytes move: there it bounds each request that carries none of them.
   */
  timeout?: number | undefined;
  /** The most that one attempt may take, to the answer's last byte. Default 30 000. */
  attemptTimeout?: number | undefined;
  /** The most that making a connection may take. Default 5000. */
  connectTimeout?: number | undefined;
  /** Attempts after the first. Default 2; 0 means none. */
  maxRetries?: number | undefined;
  /** A platform that asks for a longer wait than this is not waited for. Default 120 000. */
  maxRetryAfter?: number | undefined;
  /** At most so many calls in flight, and none sooner than the rate limit's headers allow. Default: no bound. */
  maxInFlight?: number | undefined;
  /** Fails at once after so many failures in a row, and tries again after a while. Default: off. */
  circuitBreaker?:
    | {
        /** Default 5. */
        failureThreshold?: number | undefined;
        /** Default 60 000. */
        recoveryTimeout?: number | undefined;
      }
    | undefined;
  /** Headers of every request. */
  headers?: { readonly [name: string]: string | undefined } | undefined;
  /** The program's name and version, which go before the SDK's in `User-Agent`. */
  appInfo?: { name: string; version: string } | undefined;
  /** Allows `http://` to other machines, which shows the credential to everyone between. Loopback is always allowed. */
  allowInsecureHttp?: boolean | undefined;
  /** Further root certificates, in PEM, beside the system's. */
  caCertificates?: string | Uint8Array | undefined;
  /** A client certificate: its chain and its key, in PEM. */
  clientCertificate?: { chain: string | Uint8Array; key: string | Uint8Array } | undefined;
  /** Is told what the client does: calls, attempts, retries, uploads. `console` is one. */
  logger?: Logger | undefined;
  /** The least that it is told. Default `info`: a line a call; `debug` has each attempt and why it was tried again. */
  logLevel?: "debug" | "info" | "warn" | "error" | undefined;
  /** A proxy for every request. Default: `HTTPS_PROXY` and `NO_PROXY`. */
  proxy?: string | undefined;
}

/** What takes log lines: `console`, winston, and whatever has these functions. No secret is ever in a line. */
export interface Logger {
  debug(message: string, fields: LogFields): void;
  info(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
}

/** What a line is about: `url.template`, `http.request.method`, `http.response.status_code`, `duration_ms` … */
export interface LogFields {
  readonly [name: string]: string | number | boolean;
}

/** What was counted under one name with the same labels. */
export interface Metric {
  /** `integration_requests_total`, `integration_errors_total`, `integration_request_duration_seconds`. */
  name: string;
  labels: { [label: string]: string };
  count: number;
  /** Of durations: their sum in seconds. */
  sum?: number;
  /** Of durations: upper bounds in seconds, and how many took at most that. */
  buckets?: [bound: number, count: number][];
}

/** The metrics of all clients of this process. Nothing is counted before `enable`. */
export const metrics: {
  enable(): void;
  snapshot(): Metric[];
};

export interface JwtCredential {
  /** The text of a key that may sign JWTs. */
  secret: string;
  /** The user's id (`sub`). */
  subject: string;
  /** What it may do: `read`, `write`, `admin`. */
  permissions: readonly string[];
  /** The key's id, sent as `kid`. Without one the platform tries the user's keys. */
  keyId?: string | undefined;
  /** How long one holds. Default an hour. */
  lifetime?: number | undefined;
}

/** A client's own access by its secret, or a user's by the tokens of a sign-in. */
export interface OAuthCredential {
  clientId: string;
  clientSecret?: string | undefined;
  scopes?: readonly string[] | undefined;
  /** Tokens that an `Authorization` gave. */
  tokens?: TokenSet | undefined;
  /** Is told of every new set of tokens, so that it can be stored: a refresh token is good for one use. */
  onTokens?: ((tokens: TokenSet) => void) | undefined;
}

/** What a token endpoint gives. */
export interface TokenSet {
  access_token: string;
  /** What gets the next access token; good for one use. */
  refresh_token?: string | null | undefined;
  /** Seconds that the access token holds. */
  expires_in?: number | null | undefined;
  scope?: string | null | undefined;
}

/** A sign-in with a browser's help: authorization code with PKCE. */
export class Authorization {
  constructor(about: { clientId: string; redirectUri: string; scopes?: readonly string[] | undefined });
  /** The page that the user is to open. */
  url(client: StoryCoreClient): string;
  /** Exchanges the code that came back, with the `state` that came with it, for tokens. */
  exchange(
    client: StoryCoreClient,
    back: { code: string; state: string; signal?: AbortSignal | undefined },
  ): Promise<TokenSet>;
}

export interface RequestOptions extends CallOptions {
  query?: { readonly [name: string]: string | number | boolean | null | undefined } | undefined;
  /** Sends JSON, in place of `body`. */
  json?: unknown;
  /** Sends bytes or a stream, once: a request that fails with it is not tried again. */
  body?: Exclude<UploadSource, string | URL> | undefined;
  /** Of `body`. Default `application/octet-stream`. */
  contentType?: string | undefined;
  /** Of a stream, where it is known. */
  contentLength?: number | undefined;
}

/** An answer as it came. */
export class RawResponse {
  private constructor();
  readonly status: number;
  /** Names in lower case. */
  readonly headers: { readonly [name: string]: string };
  readonly requestId?: string;
  readonly body: Uint8Array;
  text(): string;
  json(): any;
}

export interface StoryCoreClient extends Resources {}

/**
 * A client of one platform. It opens nothing before its first call, and an idle one keeps no program from ending.
 *
 *     const client = new StoryCoreClient({ apiKey });
 *     const project = await client.projects.create({ name: "Film" });
 */
export class StoryCoreClient {
  constructor(options: ClientOptions);

  /**
   * A client set up by the environment: `STORYCORE_API_KEY`, `STORYCORE_BASE_URL`, `STORYCORE_PLATFORM`,
   * `STORYCORE_TIMEOUT` (seconds) and `STORYCORE_MAX_RETRIES`. Nothing else reads them. An option that is given comes before its
   * variable.
   */
  static fromEnv(options?: ClientOptions): StoryCoreClient;

  /**
   * The same client with options for the calls made through it. It shares this one's connections and limits, and ends with it;
   * closing it ends its own calls alone.
   */
  withOptions(options: CallOptions): this;

  /** Sends what is not typed here, with retries, limits and credentials as every call. `path` stands below the base URL. */
  request(method: string, path: string, options?: RequestOptions): Promise<RawResponse>;

  /** The name of the platform that it speaks to. */
  readonly platform: string;

  /**
   * Ends what is under way with `CallCancelledError` and closes the connections. Of a client that `withOptions` gave it ends that
   * one's calls alone: the connections are those of the client that it was made of.
   */
  close(): Promise<void>;

  [Symbol.asyncDispose](): Promise<void>;
}

/** The same class under the name that some of the platform's documents have. */
export { StoryCoreClient as StoryCoreSDK };

/** The version of this package. */
export const version: string;
