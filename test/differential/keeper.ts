import {
  XS_DIRECTORY,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_READ,
  XS_RM,
  XS_SET_PERMS,
  XS_WATCH,
  XS_WRITE,
} from '../../lixs/wire/ops.ts'
import type { Guest } from './daemon.ts'
import { Line } from './line.ts'

/** What a fresh daemon has, and keeps. */
const OF_THE_DAEMON: readonly string[] = ['/tool', '/@introduceDomain', '/@releaseDomain']
const SPECIALS = ['@introduceDomain', '@releaseDomain']
/** A death that is not told of in that time is not noticed. */
const PATIENCE_MS = 10_000

/**
 * A socket besides those of the sequence: it sees when the daemon has noticed a death, looks at the
 * store after a sequence, and empties it before the next one.
 */
export class Keeper {
  readonly #line: Line
  #onRelease: ((isTold: boolean) => void) | undefined

  static async open(socketPath: string): Promise<Keeper> {
    const heard = { event: (): void => undefined }
    const line = await Line.open(socketPath, () => heard.event())
    const keeper = new Keeper(line)
    await line.request(XS_WATCH, 0, '@releaseDomain|keeper|')
    heard.event = () => keeper.#tell(true)
    return keeper
  }

  private constructor(line: Line) {
    this.#line = line
  }

  /** Settles when the next event about a domain that has ended comes. @returns has it? */
  nextRelease(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#tell(false), PATIENCE_MS)
      this.#onRelease = (isTold) => {
        clearTimeout(timer)
        resolve(isTold)
      }
    })
  }

  #tell(isTold: boolean): void {
    const tell = this.#onRelease
    this.#onRelease = undefined
    tell?.(isTold)
  }

  /** Every node: path, permissions, value; children in their order. */
  async store(): Promise<string[]> {
    const lines: string[] = []
    const waiting = ['/']
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const perms = await this.#line.request(XS_GET_PERMS, 0, `${path}|`)
      const value = await this.#line.request(XS_READ, 0, `${path}|`)
      const children = await this.#children(path)
      lines.push(`${path} ${perms}, ${value}`)
      waiting.push(...children.reverse().filter((child) => !OF_THE_DAEMON.includes(child)))
    }
    return lines
  }

  /** Nothing is left but what a fresh daemon has. */
  async empty(): Promise<void> {
    for (const child of await this.#children('/')) {
      if (!OF_THE_DAEMON.includes(child)) await this.#line.request(XS_RM, 0, `${child}|`)
    }
    await this.#line.request(XS_WRITE, 0, '/|')
    for (const node of ['/', ...SPECIALS]) {
      await this.#line.request(XS_SET_PERMS, 0, `${node}|n0|`)
    }
  }

  /** Hangs up; who waits for something waits no more. */
  close(): void {
    this.#line.close()
    this.#tell(false)
  }

  /** A domain that is unknown to the daemon gets known, so that its death will be told of. */
  async introduce(domid: number, { gfn, port }: Guest): Promise<boolean> {
    const reply = await this.#line.request(XS_INTRODUCE, 0, `${domid}|${gfn}|${port}|`)
    return reply === 'INTRODUCE OK|'
  }

  async #children(path: string): Promise<string[]> {
    const reply = await this.#line.request(XS_DIRECTORY, 0, `${path}|`)
    const names = reply.replace(/^DIRECTORY /, '').split('|')
    const base = path === '/' ? '' : path
    return reply.startsWith('ERROR') ? [] : names.slice(0, -1).map((name) => `${base}/${name}`)
  }
}
