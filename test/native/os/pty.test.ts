import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { Pty, type PtyUser } from '../../../native/os/pty.ts'

/** Collects what the terminal tells, and lets a test wait for it. */
class Listener implements PtyUser {
  input = ''
  readonly failures: unknown[] = []
  #wake: () => void = () => undefined

  ptyInput(bytes: Uint8Array): void {
    this.input += Buffer.from(bytes).toString('latin1')
    this.#wake()
  }

  ptyWritable(): void {
    this.#wake()
  }

  ptyFailed(error: unknown): void {
    this.failures.push(error)
    this.#wake()
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

const open: Pty[] = []
const users: Listener[] = []
afterEach(() => {
  for (const pty of open.splice(0)) pty.close()
  expect(users.splice(0).flatMap(({ failures }) => failures)).toEqual([])
})

function aPty(): { pty: Pty; user: Listener; slave: number } {
  const user = new Listener()
  const pty = Pty.open(user)
  open.push(pty)
  users.push(user)
  const slave = openSync(pty.slavePath, constants.O_RDWR | constants.O_NOCTTY)
  return { pty, user, slave }
}

describe('Pty', () => {
  it('hands over what is typed as it is, control characters included', async () => {
    const { user, slave } = aPty()
    writeSync(slave, 'a\r\n\x03\x04\x1a')
    while (user.input.length < 6) await user.next()
    expect(user.input).toBe('a\r\n\x03\x04\x1a')
    closeSync(slave)
  })

  it('shows bytes as they are: a line feed stays a line feed', () => {
    const { pty, slave } = aPty()
    const text = Buffer.from('boot\n\x1b[0m')
    expect(pty.write(text, 0, text.length)).toBe(text.length)
    const into = Buffer.alloc(64)
    expect(into.toString('latin1', 0, readSync(slave, into))).toBe('boot\n\x1b[0m')
    closeSync(slave)
  })

  it('takes no more than the terminal holds, and tells when it takes more', async () => {
    const { pty, user, slave } = aPty()
    const text = Buffer.alloc(1_000_000, 0x61)
    const taken = pty.write(text, 0, text.length)
    expect(taken).toBeLessThan(text.length)
    const writable = user.next()
    const into = Buffer.alloc(taken)
    let read = 0
    while (read < taken) read += readSync(slave, into, read, taken - read, null)
    await writable
    expect(pty.write(text, 0, 1000)).toBe(1000)
    closeSync(slave)
  })

  it('stays alive while readers come and go', async () => {
    const { pty, user, slave } = aPty()
    closeSync(slave)
    // Nobody else has it open while the loop looks at the master.
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(user.failures).toEqual([])
    const again = openSync(pty.slavePath, constants.O_RDWR | constants.O_NOCTTY)
    writeSync(again, 'x')
    while (user.input === '') await user.next()
    expect(user.input).toBe('x')
    closeSync(again)
  })

  it('may be closed twice', () => {
    const { pty, slave } = aPty()
    closeSync(slave)
    pty.close()
    pty.close()
    expect(pty.write(Buffer.from('x'), 0, 1)).toBe(0)
  })
})
