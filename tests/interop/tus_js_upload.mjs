// Uploads a file with tus-js-client, in as many parallel parts as asked for.
import fs from 'node:fs'
import { createRequire } from 'node:module'

const [modules, url, key, file, parts] = process.argv.slice(2)
const tus = createRequire(modules + '/')('tus-js-client')
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint: url + '/api/assets/uploads',
  headers: { Authorization: 'Bearer ' + key },
  chunkSize: 5_000_000,
  parallelUploads: Number(parts),
  metadata: { filename: 'a.bin', type: 'document' },
  onError: (error) => {
    console.error(error)
    process.exit(1)
  },
})
upload.start()
