import { closeFd, openPty, type PtyMaster, watchPty } from '../addon.ts'

/** Told what happens at the master of a pseudo terminal. */
export interface PtyUser {
  /** Somebody typed; the bytes are the callee's. */
  ptyInput(bytes: Uint8Array): void
  /** After `write` took less than it was given: now it takes more. */
  ptyWritable(): void
  /** Nothing can be read or written any more; the owner closes. */
  ptyFailed(error: unknown): void
}

/**
 * A pseudo terminal whose master we are: raw, never blocking.
 *
 * The slave is kept open here too, so that the master does not hang up whenever a reader closes it.
 */
export class Pty {
  /** `/dev/pts/7`-like. */
  readonly slavePath: string
  readonly #master: PtyMaster
  readonly #slave: number
  readonly #user: PtyUser
  #isClosed = false

  /** @throws XenError when there is no pseudo terminal left (kernel.pty.max), or no descriptor */
  static open(user: PtyUser): Pty {
    const pair = openPty()
    return new Pty(pair.path, watchPty(pair.master), pair.slave, user)
  }

  private constructor(slavePath: string, master: PtyMaster, slave: number, user: PtyUser) {
    this.slavePath = slavePath
    this.#master = master
    this.#slave = slave
    this.#user = user
    master.onReadable((bytes) => {
      if (bytes.length === 0) user.ptyFailed(new Error(`${slavePath} has hung up`))
      else user.ptyInput(bytes)
    })
  }

  /** @returns bytes taken; when less than given, `ptyWritable` follows */
  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#isClosed) return 0
    let taken = start
    try {
      while (taken < end) {
        const count = this.#master.write(bytes.subarray(taken, end))
        if (count === 0) {
          this.#master.onWritable(() => this.#user.ptyWritable())
          break
        }
        taken += count
      }
    } catch (error) {
      // Later, so that a caller in the middle of something finds its terminal unchanged.
      process.nextTick(() => this.#fail(error))
    }
    return taken - start
  }

  /** Whoever has the terminal open is told (SIGWINCH), if it is their controlling one. */
  resize(columns: number, rows: number): void {
    if (!this.#isClosed) this.#master.resize(columns, rows)
  }

  pauseReading(): void {
    if (!this.#isClosed) this.#master.setReading(false)
  }

  resumeReading(): void {
    if (!this.#isClosed) this.#master.setReading(true)
  }

  /** May be called twice. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#master.close()
    closeFd(this.#slave)
  }

  #fail(error: unknown): void {
    if (!this.#isClosed) this.#user.ptyFailed(error)
  }
}
