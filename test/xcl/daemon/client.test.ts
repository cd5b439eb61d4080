import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { XcldClient, XcldLost } from '../../../xcl/daemon/client.ts'
import { FRAME_MAX } from '../../../xcl/daemon/protocol.ts'
import { CommandServer } from '../../../xcl/daemon/server.ts'
import type { RunCommand } from '../../../xcl/daemon/session.ts'
import { aFolder } from '../../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
const closing: (() => void)[] = []
beforeEach(() => {
  folder = aFolder()
})
afterEach(() => {
  for (const close of closing.splice(0)) close()
  folder.remove()
})

/** An xcld whose only command is the test's. */
async function serving(command: RunCommand): Promise<XcldClient> {
  const path = join(folder.path, 'xcld.sock')
  const server = await CommandServer.listen(path, command)
  closing.push(() => server.close())
  return new XcldClient(path)
}

test('a command gets its words and folder, and its output and exit code come back', async () => {
  const long = 'é'.repeat(FRAME_MAX)
  const client = await serving(async (session) => {
    const { argv, cwd } = session.request
    session.stdout(JSON.stringify({ argv, cwd }))
    session.stderr(long)
    return 4
  })
  const { code, stdout, stderr } = await client.run(['list', '', 'c d'], { cwd: '/tmp' })
  expect({ code, stderr }).toEqual({ code: 4, stderr: long })
  expect(JSON.parse(stdout)).toEqual({ argv: ['list', '', 'c d'], cwd: '/tmp' })
})

test('a command that reads gets what is given, however long, and then the end', async () => {
  const stdin = 'name = "demo"\n'.repeat(10_000)
  const client = await serving(async (session) => ((await session.readStdin()) === stdin ? 0 : 1))
  expect((await client.run(['create', '-'], { stdin })).code).toBe(0)
})

test('an abort reaches the command, also one that came before', async () => {
  const running = new AbortController()
  const client = await serving(async ({ signal, request }) => {
    if (request.argv[0] === 'wait') running.abort()
    if (!signal.aborted) await once(signal, 'abort')
    return 130
  })
  expect((await client.run(['wait'], { signal: running.signal })).code).toBe(130)
  expect((await client.run(['late'], { signal: AbortSignal.abort() })).code).toBe(130)
})

test('a console is refused, for there is no terminal', async () => {
  const client = await serving(async (session) => {
    const how = { isReadOnly: false, escapeCode: 29, isContinued: false, resume: '' }
    const target = { kind: 'tty', path: '', domid: 1, request: '', ...how } as const
    return await session.attach(target).then(
      () => 0,
      () => 1,
    )
  })
  expect((await client.run(['console', '1'])).code).toBe(1)
})

test('an xcld that is not there, or goes away, is an error that names it', async () => {
  const path = join(folder.path, 'xcld.sock')
  await expect(new XcldClient(path).run([])).rejects.toThrow(`xcld at ${path}: connect ENOENT`)
  const server = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(path, resolve))
  closing.push(() => server.close())
  const lost = await new XcldClient(path).run([]).catch((error: unknown) => error)
  expect(lost).toEqual(new XcldLost(`xcld at ${path} went away`))
})
