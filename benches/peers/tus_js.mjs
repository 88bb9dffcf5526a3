// Uploads a file with tus-js-client, its defaults but for the number of parallel parts, and prints the seconds it took.
import fs from 'node:fs'
import { createRequire } from 'node:module'

const [url, key, file, modules, parts] = process.argv.slice(2)
const tus = createRequire(modules + '/')('tus-js-client')
const started = performance.now()
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint: url + '/api/assets/uploads',
  headers: { Authorization: 'Bearer ' + key },
  parallelUploads: Number(parts),
  metadata: { filename: 'film.bin', type: 'document' },
  onSuccess: () => console.log((performance.now() - started) / 1000),
  onError: (error) => {
    console.error(error)
    process.exit(1)
  },
})
upload.start()
