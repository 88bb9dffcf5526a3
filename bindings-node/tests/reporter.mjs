// Says of `node --test` what `cargo xtask test` reads: a line for each failure and skip, and one that counts them all.

export default async function* reporter(events) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") {
      if (type === "test:stderr" || type === "test:stdout") yield data.message;
      continue;
    }
    // A suite and a file are not tests themselves, unless they fail by themselves.
    const isTest = data.details?.type !== "suite" && !(data.nesting === 0 && data.name.endsWith(".js"));
    if (type === "test:fail") {
      const error = data.details.error;
      if (!isTest && error?.failureType === "subtestsFailed") continue;
      failed += 1;
      yield `failed: ${data.name}\n${indented(String(error?.cause?.stack ?? error?.cause ?? error))}\n`;
    } else if (!isTest) {
      continue;
    } else if (data.skip !== undefined) {
      skipped += 1;
      yield `skipped: ${data.name}: ${data.skip}\n`;
    } else {
      passed += 1;
      yield `ok ${data.name}\n`;
    }
  }
  yield `\n${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

function indented(text) {
  return text.replace(/^/gm, "    ");
}
