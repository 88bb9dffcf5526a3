// Lists and other things that go on by themselves, for `for await`. While a page is read the next one is on its way; leaving
// the loop ends what is under way.
"use strict";

const noPagination = () => ({ total: 0, limit: 0, offset: 0, has_more: false });

/** A page as it arrived; some platforms leave out where it stands. */
function whole(page) {
  page.pagination ??= noPagination();
  return page;
}

/**
 * What `list()` gives: a promise of one page, and at the same time every object of every page. Nothing is sent before one of
 * the two is asked for.
 */
class List {
  #client;
  #one;
  #all;
  #given;
  #options;
  #page;

  constructor(client, one, all, given, options) {
    this.#client = client;
    this.#one = one;
    this.#all = all;
    this.#given = given;
    this.#options = options;
  }

  #first() {
    return (this.#page ??= this.#client._call(this.#one, this.#given, this.#options).then(whole));
  }

  then(fulfilled, rejected) {
    return this.#first().then(fulfilled, rejected);
  }

  catch(rejected) {
    return this.#first().catch(rejected);
  }

  finally(settled) {
    return this.#first().finally(settled);
  }

  pages() {
    return pages(this.#client, this.#all, this.#given, this.#options);
  }

  [Symbol.asyncIterator]() {
    return items(this.#client, this.#all, this.#given, this.#options);
  }

  get [Symbol.toStringTag]() {
    return "List";
  }
}

/**
 * What is asked for now and awaited later, or never: only there its failure is told. (A `catch` beside the later `await` would
 * keep V8 from finding who awaits, for the error's stack.)
 */
async function ahead(source) {
  try {
    return { next: await source.next() };
  } catch (error) {
    return { error };
  }
}

async function* pages(client, operation, given, options) {
  const source = client._open(operation, given, options);
  try {
    let coming = ahead(source);
    for (;;) {
      const { next, error } = await coming;
      if (error !== undefined) throw error;
      if (next === null) return;
      const [wanted, page] = next;
      coming = ahead(source);
      // More may have come than was asked for.
      if (page.data.length > wanted) page.data.length = wanted;
      yield whole(page);
    }
  } finally {
    source.close();
  }
}

async function* items(client, operation, given, options) {
  for await (const page of pages(client, operation, given, options)) yield* page.data;
}

/**
 * What happens, one thing after another. Unlike a generator's, its `return` does not wait for what is to come next, which may be
 * long: it ends the request, and with it whoever waits.
 */
class Stream {
  #source;
  #isOver = false;

  constructor(source) {
    this.#source = source;
  }

  async next() {
    if (this.#isOver) return over();
    let value;
    try {
      value = await this.#source.next();
    } catch (error) {
      if (this.#isOver) return over();
      this.#end();
      throw error;
    }
    if (value !== null && !this.#isOver) return { done: false, value };
    this.#end();
    return over();
  }

  async return() {
    this.#end();
    return over();
  }

  #end() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#source.close();
  }
}

// As every asynchronous iterator of the language: it is its own iterable, and can be disposed of where the runtime knows that.
Object.setPrototypeOf(Stream.prototype, Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype));

const over = () => ({ done: true, value: undefined });

function stream(client, operation, given, options) {
  return new Stream(client._open(operation, given, options));
}

module.exports = { List, pages, items, stream };
