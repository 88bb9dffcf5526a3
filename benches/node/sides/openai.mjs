// The SDK that users know, speaking to our server: its own way to call what it has no method for.

export function open({ url, key, require }) {
  const { OpenAI } = require("openai");
  const client = new OpenAI({ baseURL: `${url}/api`, apiKey: key });
  return {
    name: `openai ${require("openai/version").VERSION}`,
    get: (id) => client.get(`/projects/${id}`),
    page: async () => (await client.get("/projects", { query: { limit: 100 } })).data,
  };
}
