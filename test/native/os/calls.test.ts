import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { closeFd, lockFile, raiseFileLimit, sendNotify } from '../../../native/addon.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xcl-os-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

describe('locking a file', () => {
  test('one at a time, also within a process, until the descriptor is closed', () => {
    const path = join(folder, 'pid')
    const fd = lockFile(path)
    expect(() => lockFile(path)).toThrow(expect.objectContaining({ code: 'EAGAIN', op: 'fcntl' }))
    closeFd(fd)
    closeFd(lockFile(path))
  })

  test('reading the file does not lose the lock', () => {
    const path = join(folder, 'pid')
    const fd = lockFile(path)
    readFileSync(path)
    expect(() => lockFile(path)).toThrow(expect.objectContaining({ code: 'EAGAIN' }))
    closeFd(fd)
  })

  test('another process sees the lock', () => {
    const path = join(folder, 'pid')
    const fd = lockFile(path)
    const addon =
      process.env.XCL_ADDON ?? join(process.cwd(), 'native/build/Release/xcl_native.node')
    const script = `const a = require(${JSON.stringify(addon)}); a.setErrorClass(class { constructor(op, code) { this.code = code } });
      try { a.lockFile(${JSON.stringify(path)}); console.log('locked') } catch (e) { console.log(e.code) }`
    const run = () => execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()
    expect(run()).toBe('EAGAIN')
    closeFd(fd)
    expect(run()).toBe('locked')
  })

  test('a folder that is not there', () => {
    expect(() => lockFile(join(folder, 'no', 'pid'))).toThrow(
      expect.objectContaining({ op: 'open', code: 'ENOENT' }),
    )
  })
})

describe('other calls', () => {
  test('the limit of open files is what is in force afterwards', () => {
    const before = raiseFileLimit(0)
    expect(before).toBeGreaterThan(0)
    expect(raiseFileLimit(before)).toBe(before)
  })

  test('nobody listens: notifying fails by name', () => {
    expect(() => sendNotify(join(folder, 'none'), 'READY=1')).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    )
    expect(() => sendNotify('@xcl-nobody-listens-here', 'READY=1')).toThrow(
      expect.objectContaining({ code: 'ECONNREFUSED' }),
    )
    expect(() => sendNotify('/'.padEnd(200, 'x'), 'READY=1')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
  })

  test('closing what is not open fails by name', () => {
    expect(() => closeFd(999_999)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })
})

test('a process that ends with its parent does so, even if that is killed', async () => {
  const program = new URL('../../../native/os/end-with-parent.ts', import.meta.url).pathname
  const child = `import { endWithParent } from ${JSON.stringify(program)}
    endWithParent()
    process.stdout.write(String(process.pid))
    setInterval(() => {}, 60_000)`
  const childArgs = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', child]
  const parent = `require('node:child_process').spawn(process.execPath, ${JSON.stringify(childArgs)}, { stdio: 'inherit' })`
  const { stdout, kill } = spawnWithOutput(['-e', parent])
  const [pid] = await once(stdout, 'data')
  expect(Number(pid)).toBeGreaterThan(0)
  kill()
  // The child holds the other end of the pipe: it ends when the child does.
  await once(stdout, 'end')
})

test('a process whose parent ended before it asked ends, too', async () => {
  const program = new URL('../../../native/os/end-with-parent.ts', import.meta.url).pathname
  const child = `import { endWithParent } from ${JSON.stringify(program)}
    const parent = process.ppid
    process.stdout.write('here')
    const look = () => {
      if (process.ppid === parent) return setImmediate(look)
      endWithParent()
      setInterval(() => {}, 60_000)
    }
    look()`
  const childArgs = ['--import', import.meta.resolve('tsx'), '--input-type=module', '-e', child]
  const parent = `require('node:child_process').spawn(process.execPath, ${JSON.stringify(childArgs)}, { stdio: 'inherit' })`
  // A session of its own, as a terminal's: nobody who takes in orphans is in it.
  const { stdout, kill } = spawnWithOutput(['-e', parent], { detached: true })
  await once(stdout, 'data')
  kill()
  await once(stdout, 'end')
})

function spawnWithOutput(args: readonly string[], { detached = false } = {}) {
  const child = spawn(process.execPath, args, { detached, stdio: ['ignore', 'pipe', 'inherit'] })
  return { stdout: child.stdout, kill: () => child.kill('SIGKILL') }
}
