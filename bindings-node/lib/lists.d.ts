// Options of calls, and lists.

import type { Pagination } from "./models";

/** Options of one call; what is not set is as the client has it. */
export interface CallOptions {
  /**
   * The most that the whole call may take, retries and waits included, in milliseconds: of an upload or a download, too, to the
   * last byte. Default: the client's, 180 000, which does not bound these two as a whole.
   */
  timeout?: number | undefined;
  /** Attempts after the first. Default 2; 0 means none. */
  maxRetries?: number | undefined;
  /** The `Idempotency-Key` of a POST in place of a random one: at most 255 visible ASCII characters. */
  idempotencyKey?: string | undefined;
  /** Further headers. */
  headers?: { readonly [name: string]: string | undefined } | undefined;
  /** Ends the call, which is then rejected with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What a list is asked with: its own parameters, and filters by the names of the fields. */
export type ListParams<Filter extends string = never> = ListOptions & {
  readonly [filter in Filter]?: FilterValue;
} & { readonly [filter: string]: FilterValue };

/** What a field is to be. */
export type FilterValue = string | number | boolean | null | undefined;

export interface ListOptions {
  /** Objects a page, from 1 to 100. One page has 50 by default; lists that go on by themselves ask for 100. */
  readonly pageSize?: number | undefined;
  /** Objects in all, over every page. Default: no bound. */
  readonly maxItems?: number | undefined;
  /** How many to leave out at the beginning. Default 0. */
  readonly offset?: number | undefined;
  /** The order: `FIELD.asc` or `FIELD.desc`. Default `created_at.desc`. */
  readonly sort?: string | undefined;
}

/** One page of a list. */
export interface Page<T> {
  /** Its objects. */
  data: T[];
  /** Where it stands. */
  pagination: Pagination;
}

/**
 * A promise of one page, and at the same time every object of every page:
 *
 *     const page = await client.projects.list();
 *     for await (const project of client.projects.list()) …
 *
 * Nothing is sent before one of the two is asked for.
 */
export interface List<T> extends Promise<Page<T>>, AsyncIterable<T> {
  /** Every page, one after another, the next fetched ahead. */
  pages(): AsyncIterableIterator<Page<T>>;
}
