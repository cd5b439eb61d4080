import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = 4096
const SEARCHED_BYTES = 64 * 2 ** 20

/** What is done to which page. */
export interface Flipping {
  /** Of the simulated machine. */
  readonly pid: number
  /** A text in the guest's page, and in no page below it: the page is found by it. */
  readonly mark: string
  /** Written in turn. */
  readonly values: readonly [number, number]
  /** Bytes from the beginning of the page, of words. */
  readonly offsets: readonly number[]
}

/** Changes words of guests' pages on a simulated machine, as fast as a processor can, from another process. */
export class PageFlipper {
  readonly #program: string

  /** Compiles page-flipper.c into the folder. */
  constructor(folder: string) {
    this.#program = join(folder, 'page-flipper')
    const source = join(import.meta.dirname, 'page-flipper.c')
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', this.#program, source])
  }

  /**
   * Settles when it has begun.
   * @returns `stop`, which gives code and signal with which the process has ended
   * @throws Error when the mark is not in the machine's memory
   */
  async flip({ pid, mark, values, offsets }: Flipping): Promise<{ stop(): Promise<unknown[]> }> {
    const path = memoryOf(pid)
    const page = find(path, mark) & ~(PAGE - 1)
    const child = spawn(this.#program, [path, page, ...values, ...offsets].map(String), {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    await once(child.stdout, 'data')
    return {
      stop() {
        child.stdin.end()
        return ended
      },
    }
  }
}

/** The file in which the pages of all domains of a simulated machine lie. */
function memoryOf(pid: number): string {
  const folder = `/proc/${pid}/fd`
  const found = readdirSync(folder).find((fd) => {
    return readlinkSync(`${folder}/${fd}`).includes('xcl-pages')
  })
  if (found === undefined) throw new Error('the machine has no memory')
  return `${folder}/${found}`
}

function find(path: string, text: string): number {
  const memory = openSync(path, 'r')
  const bytes = Buffer.alloc(SEARCHED_BYTES)
  readSync(memory, bytes, 0, bytes.length, 0)
  closeSync(memory)
  const at = bytes.indexOf(text)
  if (at < 0) throw new Error(`${text} is not in the machine's memory`)
  return at
}
