
/**
 * Any failure of the client. Its class, and `kind`, say what to do about it. All times are in milliseconds.
 *
 * No credential, webhook secret or one-time token is ever in it.
 */
export class StoryCoreError extends Error {
  /** The kind's name: `not_found`, `rate_limited`, … */
  readonly kind: ErrorKind;
  /** The HTTP status, where an answer arrived. */
  readonly status?: number;
  /** The platform's own code, such as `idempotency_mismatch`. */
  readonly code?: string;
  /** The parameter, field or JSON path at fault. */
  readonly param?: string;
  /** The platform's `details`, usually a message for each field. */
  readonly details?: unknown;
  /** The platform's id of the request, to quote to its support. */
  readonly requestId?: string;
  /** The idempotency key that was sent. Calling again with it cannot do the work twice. */
  readonly idempotencyKey?: string;
  /** How long the platform asked to wait before the next request. */
  readonly retryAfter?: number;
  /** How many requests were sent; 0 when it failed before the first. */
  readonly attempts: number;
  /** The time from the call's start to this error, all attempts and delays included. */
  readonly elapsed: number;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** The answer's body as text, a bounded part of it, secrets blanked. */
  readonly body?: string;
  /** The job that was waited for, as it was last seen. */
  readonly job?: Job;
  /** What stood behind it. */
  readonly cause?: unknown;
}
