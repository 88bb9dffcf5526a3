// Ours, as its README shows it.

import { createRequire } from "node:module";

export function open({ url, key }) {
  const { StoryCoreClient, version } = createRequire(import.meta.url)("../../../bindings-node");
  const client = new StoryCoreClient({ baseUrl: url, apiKey: key });
  return {
    name: `storycore ${version}`,
    get: (id, signal) => client.projects.get(id, signal && { signal }),
    page: async () => (await client.projects.list({ pageSize: 100 })).data,
    upload: (path, journal) => client.media.upload(path, { journal }),
  };
}
