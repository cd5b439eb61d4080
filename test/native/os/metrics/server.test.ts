import { createHook } from 'node:async_hooks'
import { existsSync, linkSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MetricsServer } from '../../../../native/os/metrics/server.ts'
import { aFolder } from '../../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let path: string
let servers: MetricsServer[]
beforeEach(() => {
  folder = aFolder()
  path = join(folder.path, 'metrics')
  servers = []
})
afterEach(() => {
  for (const server of servers) server.close()
  folder.remove()
})

async function listening(
  address: Parameters<typeof MetricsServer.listen>[0],
): Promise<MetricsServer> {
  const server = await MetricsServer.listen(address)
  servers.push(server)
  return server
}

interface Answer {
  readonly code: number | undefined
  readonly type: string | undefined
  readonly connection: string | undefined
  readonly text: string
}

function ask(where: object, url = '/metrics', method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path: url, method }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      const { statusCode: code, headers } = response
      const type = headers['content-type']
      response.on('end', () => resolve({ code, type, connection: headers.connection, text }))
    })
    asked.on('error', reject).end()
  })
}

test('a scrape gets the page as it is now, in the type of the text format', async () => {
  const server = await listening({ kind: 'unix', path })
  let scrapes = 0
  server.serve(() => `scrape ${++scrapes}\n`)
  const type = 'text/plain; version=0.0.4; charset=utf-8'
  const answer = await ask({ socketPath: path })
  expect(answer).toEqual({ code: 200, type, connection: 'close', text: 'scrape 1\n' })
  expect((await ask({ socketPath: path }, '/metrics?x=y')).text).toBe('scrape 2\n')
})

test('the socket is for its owner only, and gone afterwards', async () => {
  const server = await listening({ kind: 'unix', path })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  server.close()
  expect(existsSync(path)).toBe(false)
})

test('an address of this host', async () => {
  const server = await listening({ kind: 'tcp', host: '127.0.0.1', port: 0 })
  server.serve(() => 'page\n')
  expect((await ask({ host: '127.0.0.1', port: server.port })).text).toBe('page\n')
})

test('what is not /metrics is not found, what is not GET not allowed', async () => {
  const server = await listening({ kind: 'unix', path })
  server.serve(() => 'page\n')
  expect((await ask({ socketPath: path }, '/')).code).toBe(404)
  expect((await ask({ socketPath: path }, '/metrics', 'POST')).code).toBe(405)
  expect(await ask({ socketPath: path }, '/metrics', 'HEAD')).toMatchObject({ code: 200, text: '' })
})

test('before there is a page it is not ready', async () => {
  await listening({ kind: 'unix', path })
  expect((await ask({ socketPath: path })).code).toBe(503)
})

test('a socket left behind by one that was killed is no obstacle', async () => {
  const dead = createServer()
  await new Promise<void>((resolve) => dead.listen(join(folder.path, 'dead'), resolve))
  linkSync(join(folder.path, 'dead'), path)
  dead.close()
  const server = await listening({ kind: 'unix', path })
  server.serve(() => 'page\n')
  expect((await ask({ socketPath: path })).text).toBe('page\n')
})

test('a file that is no socket is left alone, and a sentence says so', async () => {
  writeFileSync(path, 'precious')
  const sentence = `cannot answer for metrics at unix:${path} (EADDRINUSE)`
  await expect(MetricsServer.listen({ kind: 'unix', path })).rejects.toThrow(sentence)
  expect(statSync(path).size).toBe(8)
})

test('an address that is taken is told', async () => {
  const { port = 0 } = await listening({ kind: 'tcp', host: '127.0.0.1', port: 0 })
  await expect(MetricsServer.listen({ kind: 'tcp', host: '127.0.0.1', port })).rejects.toThrow(
    `cannot answer for metrics at 127.0.0.1:${port} (EADDRINUSE)`,
  )
})

test('while nobody asks no timer falls due for weeks', async () => {
  const delaysMs: unknown[] = []
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'Timeout') delaysMs.push(Reflect.get(resource, '_idleTimeout'))
    },
  }).enable()
  await listening({ kind: 'unix', path })
  hook.disable()
  // Node looks for slow clients at intervals; there is one, and it never comes.
  expect(delaysMs).toEqual([0x7fffffff])
})
