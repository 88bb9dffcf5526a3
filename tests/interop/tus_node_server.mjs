// @tus/server with @tus/file-store on a loopback port; says `READY PORT` when it listens.
import { createRequire } from 'node:module'

const [modules, directory, port] = process.argv.slice(2)
const require = createRequire(modules + '/')
const { Server } = require('@tus/server')
const { FileStore } = require('@tus/file-store')
const server = new Server({ path: '/files', datastore: new FileStore({ directory }) })
const http = server.listen({ host: '127.0.0.1', port: Number(port) }, () =>
  console.log('READY ' + http.address().port),
)
