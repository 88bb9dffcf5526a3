// Uploads what another server sends, while it arrives: nothing is kept in memory or on disk.
//
//     node upload_fetch.mjs https://example.com/film.mp4

import { basename } from "node:path";
import { StoryCoreClient } from "storycore";

const url = new URL(process.argv[2]);
const client = StoryCoreClient.fromEnv();
const response = await fetch(url);
if (!response.ok) throw new Error(`${url} answers ${response.status}`);
const asset = await client.media.upload(response, { fileName: basename(url.pathname) });
console.log(asset.id, asset.size, asset.sha256);
