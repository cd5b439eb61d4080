import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { XenstoreClient } from '../../lixs/client/client.ts'
import { Decoder } from '../../lixs/wire/decoder.ts'
import { encodePacket } from '../../lixs/wire/encoder.ts'
import type { Packet } from '../../lixs/wire/packet.ts'
import { type ProgramProcess, startLixs } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'

let folder: ReturnType<typeof aFolder>
let socketPath: string
let pidPath: string
let processes: ProgramProcess[]
let background: number[]

beforeEach(() => {
  folder = aFolder()
  socketPath = join(folder.path, 'run', 'socket')
  pidPath = join(folder.path, 'lixs.pid')
  processes = []
  background = []
})

afterEach(async () => {
  for (const { child } of processes) if (child.exitCode === null) child.kill('SIGKILL')
  await Promise.all(processes.map(({ ended }) => ended))
  for (const pid of background) kill(pid)
  folder.remove()
})

function lixs(...args: string[]): ProgramProcess {
  const started = startLixs(['--hypervisor', 'none', '--socket-path', socketPath, ...args])
  processes.push(started)
  return started
}

async function serving(...args: string[]): Promise<ProgramProcess> {
  const started = lixs('--no-fork', ...args)
  await started.said(/"msg":"serving"/)
  return started
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself: nothing is left to be killed.
  }
}

describe('in the foreground', () => {
  test('it serves tools, and SIGTERM ends it cleanly', async () => {
    const daemon = await serving('--pid-file', pidPath)
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    expect(readFileSync(pidPath, 'utf8')).toBe(`${daemon.child.pid}\n`)
    const store = await XenstoreClient.connect(socketPath)
    await store.write('/a/b', 'x')
    expect(await store.read('/a/b')).toBe('x')
    expect(await store.directory('/')).toEqual(['tool', 'a'])
    await expect(store.introduce(7, 1000, 5)).rejects.toMatchObject({ errno: 'ENOSYS' })
    daemon.child.kill('SIGTERM')
    expect(await daemon.ended).toMatchObject({ code: 0, signal: null })
    expect(existsSync(socketPath)).toBe(false)
    expect(await store.closed).toBeInstanceOf(Error)
  })

  test('SIGHUP goes on in a new log file', async () => {
    const log = join(folder.path, 'log')
    const daemon = lixs('--no-fork', '--log-file', log)
    const store = await connected()
    await store.control('print', 'before')
    renameSync(log, `${log}.1`)
    daemon.child.kill('SIGHUP')
    // The signal and the socket race each other: text is printed until it arrives in the new file.
    while (!existsSync(log) || !readFileSync(log, 'utf8').includes('after')) {
      await store.control('print', 'after')
    }
    expect(readFileSync(`${log}.1`, 'utf8')).toContain('before')
    store.close()
  })

  test('a second one on the same socket says so and leaves the first alone', async () => {
    await serving()
    const second = await lixs('--no-fork').ended
    expect(second.code).toBe(1)
    expect(second.stderr).toBe(
      `lixs: a XenStore daemon already answers at ${socketPath}; stop it first\n`,
    )
    const store = await XenstoreClient.connect(socketPath)
    expect(await store.read('/tool/xenstored')).toBe('')
    store.close()
  })

  test('a second one on the same pid file ends with 0, as start scripts want it', async () => {
    const first = await serving('--pid-file', pidPath)
    const second = await lixs('--no-fork', '--pid-file', pidPath).ended
    expect(second.code).toBe(0)
    expect(second.stderr).toContain(`lixs: already running (pid ${first.child.pid};`)
  })

  test('a socket and a pid file left behind by a killed one are no obstacle', async () => {
    const first = await serving('--pid-file', pidPath)
    first.child.kill('SIGKILL')
    await first.ended
    expect(existsSync(socketPath)).toBe(true)
    await serving('--pid-file', pidPath)
    const store = await XenstoreClient.connect(socketPath)
    expect(await store.read('/tool/xenstored')).toBe('')
    store.close()
  })
})

describe('in the background', () => {
  test('the starter leaves once the daemon serves and the pid file is written', async () => {
    const log = join(folder.path, 'log')
    const started = await lixs('--pid-file', pidPath, '--log-file', log, '--output-pid').ended
    const pid = Number(readFileSync(pidPath, 'utf8'))
    background.push(pid)
    expect(started).toMatchObject({ code: 0, stdout: `${pid}\n`, stderr: '' })
    const store = await XenstoreClient.connect(socketPath)
    expect(await store.read('/tool/xenstored')).toBe('')
    const lost = store.closed
    process.kill(pid, 'SIGTERM')
    await lost
    expect(readFileSync(log, 'utf8')).toContain('"msg":"serving"')
  })

  test('what keeps it from serving is said by the starter, with the exit code', async () => {
    await serving()
    const second = await lixs('--log-file', join(folder.path, 'log')).ended
    expect(second.code).toBe(1)
    expect(second.stderr).toBe(
      `lixs: a XenStore daemon already answers at ${socketPath}; stop it first\n`,
    )
  })
})

describe('command line', () => {
  test('wrong usage is one sentence and exit code 1', async () => {
    const { code, stdout, stderr } = await lixs('--nonsense').ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe('lixs: unknown option --nonsense; see lixs --help\n')
  })

  test('where no simulated machine is, one sentence says so', async () => {
    const nowhere = `${socketPath}.nowhere`
    const { code, stderr } = await lixs('--no-fork', '--hypervisor', 'sim', '--simulator', nowhere)
      .ended
    expect(code).toBe(1)
    expect(stderr).toContain(`lixs: `)
    expect(stderr).toContain(nowhere)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  test('--help, --version and --print-config print and end', async () => {
    const ask = async (flag: string) => await lixs(flag).ended
    const [help, version, config] = await Promise.all(
      ['--help', '--version', '--print-config'].map(ask),
    )
    expect(help?.stdout).toContain('Usage: lixs [OPTION]')
    expect(version?.stdout).toMatch(/^lixs \S+\n$/)
    expect(config?.stdout).toContain(`socket-path = ${socketPath}  # flag\n`)
    expect([help?.code, version?.code, config?.code]).toEqual([0, 0, 0])
  })

  test("upstream's settings without meaning here are accepted", async () => {
    await serving('-R', '-I', '-V', '--internal-db=on', '--trace-control', '+obj', '-e', '3', '-D')
  })
})

describe('at the socket', () => {
  test('requests in any fragments, and of no payload, are answered at once', async () => {
    await serving()
    const raw = await rawConnection()
    const bytes = Buffer.concat([
      encodePacket(11, 1, 0, Buffer.from('/a\0x')),
      encodePacket(23, 2, 0),
      encodePacket(2, 3, 0, Buffer.from('/a\0')),
    ])
    for (const byte of bytes) await raw.write(Buffer.of(byte))
    expect(await raw.packets(3)).toMatchObject([
      { type: 11, reqId: 1 },
      { type: 23, reqId: 2 },
      { type: 2, reqId: 3 },
    ])
    raw.socket.destroy()
  })

  test('a type that looks negative is just not served', async () => {
    await serving()
    const raw = await rawConnection()
    for (const type of [0xffffffff, 0xfffffffe, 0xfffffffd, 0xfffffffb, 0x80000000]) {
      await raw.write(encodePacket(type, 9, 0, Buffer.from('/\0')))
      const [reply] = await raw.packets(1)
      expect(reply).toMatchObject({ type: 16, reqId: 9 })
      expect(Buffer.from(reply?.payload ?? []).toString()).toBe('ENOSYS\0')
    }
    raw.socket.destroy()
  })

  test('a message longer than 4096 bytes ends its connection, and no other', async () => {
    await serving()
    const [bad, good] = await Promise.all([rawConnection(), rawConnection()])
    const header = encodePacket(2, 0, 0)
    header.writeUInt32LE(4097, 12)
    const closed = once(bad.socket, 'close')
    await bad.write(header)
    await closed
    await good.write(encodePacket(2, 1, 0, Buffer.from('/tool\0')))
    expect(await good.packets(1)).toMatchObject([{ type: 2 }])
    good.socket.destroy()
  })

  test('a thousand pipelined requests are answered in order', async () => {
    await serving()
    const store = await XenstoreClient.connect(socketPath)
    const numbers = Array.from({ length: 1000 }, (_, i) => i)
    await Promise.all(numbers.map((i) => store.write(`/many/${i}`, String(i))))
    const values = await Promise.all(numbers.map((i) => store.read(`/many/${i}`)))
    expect(values).toEqual(numbers.map(String))
    expect(await store.directory('/many')).toEqual(numbers.map(String))
    store.close()
  })

  test('watches of one tool see what another does', async () => {
    await serving()
    const [watcher, writer] = await Promise.all([
      XenstoreClient.connect(socketPath),
      XenstoreClient.connect(socketPath),
    ])
    const watch = await watcher.watch('/a')
    const seen: string[] = []
    const reading = (async () => {
      for await (const path of watch) {
        seen.push(path)
        if (path === '/a/end') return
      }
    })()
    await writer.transaction((tx) => {
      tx.write('/a/b', '1')
      tx.write('/a/b', '2')
      tx.write('/a/end', '3')
    })
    await reading
    expect(seen).toEqual(['/a', '/a/b', '/a/end'])
    watcher.close()
    writer.close()
  })
})

/** Says what comes at a datagram socket, of which node has none; `bound` once it is there. */
const LISTENER = `
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
int main(int argc, char **argv)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  strncpy(address.sun_path, argv[argc - 1], sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  puts("bound");
  char text[4096];
  for (ssize_t got; fflush(stdout) == 0 && (got = recv(fd, text, sizeof text, 0)) >= 0;)
    printf("%.*s\\n", (int)got, text);
  return 1;
}
`

test('the service manager is told when it is ready', async () => {
  const address = join(folder.path, 'notify')
  const program = join(folder.path, 'listen')
  execFileSync('cc', ['-x', 'c', '-o', program, '-'], { input: LISTENER })
  const listener = spawn(program, [address], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(listener, 'close')
  try {
    const lines = createInterface(listener.stdout)[Symbol.asyncIterator]()
    expect(await lines.next()).toMatchObject({ value: 'bound' })
    const daemon = startLixs(['--hypervisor', 'none', '--socket-path', socketPath, '--no-fork'], {
      NOTIFY_SOCKET: address,
    })
    processes.push(daemon)
    for (let line = await lines.next(); line.value !== 'READY=1'; line = await lines.next()) {
      expect(line.done).toBe(false)
    }
  } finally {
    listener.kill('SIGKILL')
    await ended
  }
})

/** A client of the daemon that is just starting. */
async function connected(): Promise<XenstoreClient> {
  for (;;) {
    try {
      return await XenstoreClient.connect(socketPath)
    } catch {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

async function rawConnection(): Promise<{
  socket: Socket
  write(bytes: Uint8Array): Promise<void>
  packets(count: number): Promise<Packet[]>
}> {
  const socket = createConnection(socketPath)
  await once(socket, 'connect')
  const decoder = new Decoder()
  const heard: Packet[] = []
  return {
    socket,
    write: (bytes) => new Promise((resolve) => socket.write(bytes, () => resolve())),
    async packets(count) {
      while (heard.length < count) {
        const [bytes] = await once(socket, 'data')
        heard.push(...decoder.push(bytes))
      }
      return heard.splice(0, count)
    },
  }
}
