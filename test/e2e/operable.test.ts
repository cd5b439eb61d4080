import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { parseExposition } from '../native/os/metrics/parse-exposition.ts'
import { type ProgramProcess, startLixs } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let socketPath: string
let processes: ProgramProcess[]
let stores: XenstoreClient[]

beforeEach(() => {
  folder = aFolder()
  socketPath = join(folder.path, 'run', 'socket')
  processes = []
  stores = []
})

afterEach(async () => {
  for (const store of stores) store.close()
  for (const { child } of processes) if (child.exitCode === null) child.kill('SIGKILL')
  await Promise.all(processes.map(({ ended }) => ended))
  folder.remove()
})

function lixs(...args: string[]): ProgramProcess {
  const started = startLixs([
    ...['--no-fork', '--hypervisor', 'none', '--socket-path', socketPath],
    ...args,
  ])
  processes.push(started)
  return started
}

async function serving(
  ...args: string[]
): Promise<{ daemon: ProgramProcess; store: XenstoreClient }> {
  const daemon = lixs(...args)
  await daemon.said(/"msg":"serving"/)
  const store = await XenstoreClient.connect(socketPath)
  stores.push(store)
  return { daemon, store }
}

function scrape(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: '/metrics' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve(text))
    })
    asked.on('error', reject).end()
  })
}

test('the folder of the socket is made, and everyone may look into it', async () => {
  await serving()
  expect(statSync(join(folder.path, 'run')).mode & 0o777).toBe(0o755)
})

describe('the trace', () => {
  test('goes to a file of its own, complete when the daemon has ended', async () => {
    const trace = join(folder.path, 'made', 'trace')
    const { daemon, store } = await serving('-T', trace, '--trace-control', '+acc')
    await store.write('/a', 'x')
    store.close()
    daemon.child.kill('SIGTERM')
    const { stderr } = await daemon.ended
    const lines = readFileSync(trace, 'utf8').trimEnd().split('\n')
    const words = lines.map((line) => line.replace(/^\S+ \S+ (\S+) +\S+ +/, '$1 '))
    expect(words).toEqual(
      expect.arrayContaining(['obj socket opened', 'in WRITE #1 /a|x', 'out WRITE #1 OK|']),
    )
    expect(words.some((line) => line.startsWith('acc nodes 6 (+1)'))).toBe(true)
    expect(stderr).not.toContain('WRITE')
  })

  test('goes on in a new file after SIGHUP', async () => {
    const trace = join(folder.path, 'trace')
    const { daemon, store } = await serving('-T', trace)
    await store.write('/before', 'x')
    await store.control('log')
    renameSync(trace, `${trace}.1`)
    daemon.child.kill('SIGHUP')
    // The signal and the socket race each other: it is written until it arrives in the new file.
    while (!existsSync(trace) || !readFileSync(trace, 'utf8').includes('/after|x')) {
      await store.write('/after', 'x')
    }
    expect(readFileSync(`${trace}.1`, 'utf8')).toContain('/before|x')
  })

  test('that cannot be written is a reason not to start, told in one sentence', async () => {
    const { code, stderr } = await lixs('-T', folder.path).ended
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `lixs: cannot open ${folder.path} (EISDIR)\n`,
    })
  })
})

describe('metrics', () => {
  test('are answered at a socket for root only, and count what is done', async () => {
    const metrics = join(folder.path, 'metrics')
    const { daemon, store } = await serving('--metrics', `unix:${metrics}`)
    expect(statSync(metrics).mode & 0o777).toBe(0o600)
    await store.write('/a', 'x')
    const families = parseExposition(await scrape(metrics))
    const { samples } = families.get('lixs_requests_total') ?? {}
    expect([...(samples ?? [])]).toEqual([['lixs_requests_total{op="WRITE",result="OK"}', 1]])
    daemon.child.kill('SIGTERM')
    expect(await daemon.ended).toMatchObject({ code: 0 })
    expect(existsSync(metrics)).toBe(false)
  })

  test('at an address that cannot be had are a reason not to start', async () => {
    const { code, stderr } = await lixs('--metrics', `unix:${folder.path}/no/such/folder`).ended
    expect(code).toBe(1)
    expect(stderr).toContain(`cannot answer for metrics at unix:${folder.path}/no/such/folder (`)
  })
})

test('a live update keeps trace and metrics, and leaves the store in order', async () => {
  const trace = join(folder.path, 'trace')
  const metrics = join(folder.path, 'metrics')
  const { store } = await serving('-T', trace, '--metrics', `unix:${metrics}`)
  await store.write('/before', 'x')
  expect(await store.control('live-update', '-s')).toBe('OK')
  await store.write('/after', 'x')
  expect(await store.control('check')).toBe('OK')
  expect(parseExposition(await scrape(metrics)).size).toBeGreaterThan(20)
  const text = readFileSync(trace, 'utf8')
  expect(text).toContain('/before|x')
  expect(text).toContain('CONTROL #2 live-update|-s|')
  expect(text).toContain('/after|x')
})

describe('wrong usage ends with 1 and one sentence:', () => {
  test.each([
    [['-Q', 'nonsense=5'], '-Q: "nonsense=5" is not WHAT=N, with nodes, watches'],
    [['extra'], 'unexpected argument "extra"'],
  ])('%j', async (args, sentence) => {
    const { code, stdout, stderr } = await lixs(...args).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`lixs: ${sentence}`)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('the configuration file', () => {
  test('sets what flags do not, and is told as the origin', async () => {
    const file = join(folder.path, 'lixs.conf')
    writeFileSync(
      file,
      '# ours\nquota = nodes=77 watches=88\nkeep-orphans = yes\nentry-size = 99\n',
    )
    const { code, stdout } = await lixs('--config', file, '-S', '4096', '--print-config').ended
    expect(code).toBe(0)
    expect(stdout).toContain(`keep-orphans = true  # ${file}:3\n`)
    expect(stdout).toContain(`quota = nodes=77 watches=88  # ${file}:2\n`)
    expect(stdout).toContain('entry-size = 4096  # flag\n')
    expect(stdout).toContain('entry-nb = 77  # see quota\n')
  })

  test('that is wrong is a reason not to start; the line is told', async () => {
    const file = join(folder.path, 'lixs.conf')
    writeFileSync(file, '\nquota = nonsense=5\n')
    const { code, stderr } = await lixs('--config', file).ended
    expect(code).toBe(1)
    expect(stderr).toContain(`lixs: ${file}:2: quota: "nonsense=5" is not WHAT=N`)
  })
})
