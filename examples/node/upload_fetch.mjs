// Uploads what another server sends, while it arrives: nothing is kept in memory or on disk.
//
//     node upload_fetch.mjs https://example.com/film.mp4

import { basename } from "node:path";
import { StoryCoreClient } from "storycore";

const [address] = process.argv.slice(2);
if (address === undefined) {
  console.error("usage: node upload_fetch.mjs ADDRESS");
  process.exit(2);
}

const url = new URL(address);
const client = StoryCoreClient.fromEnv();
const response = await fetch(url);
if (!response.ok) throw new Error(`${url} answers ${response.status}`);
const asset = await client.media.upload(response, { fileName: basename(url.pathname) });
console.log(asset.id, asset.size, asset.sha256);
