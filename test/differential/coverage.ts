import { opName } from '../../lixs/wire/ops.ts'
import { typeOf } from './player.ts'
import type { Step } from './step.ts'
import type { Transcript } from './transcript.ts'

/** How often which operation had which result, for whom. */
export class Coverage {
  /** By `READ ENOENT guest in a transaction`. */
  readonly counts = new Map<string, number>()

  add(steps: readonly Step[], transcript: Transcript): void {
    for (const [at, { text }] of transcript.replies) {
      const step = steps[at]
      if (step?.kind !== 'send') continue
      const who = step.on.startsWith('g') ? 'guest' : 'socket'
      const where = step.tx === undefined ? '' : ' in a transaction'
      this.#count(`${opName(typeOf(step.op))} ${resultOf(text)} ${who}${where}`)
    }
  }

  /** A table: operations by result. */
  toString(): string {
    const byResult = new Map<string, Map<string, number>>()
    const results = new Set<string>()
    for (const [key, count] of this.counts) {
      const [op = '', result = ''] = key.replace(/^op (\d+)/, 'unknown').split(' ')
      results.add(result)
      const row = byResult.get(op) ?? new Map<string, number>()
      row.set(result, (row.get(result) ?? 0) + count)
      byResult.set(op, row)
    }
    const columns = [...results].sort()
    const line = (name: string, cells: readonly string[]): string =>
      name.padEnd(21) + cells.map((cell) => cell.padStart(9)).join('')
    const rows = [...byResult].map(([op, row]) =>
      line(
        op,
        columns.map((result) => String(row.get(result) ?? '·')),
      ),
    )
    return [line('', columns), ...rows.sort()].join('\n')
  }

  #count(key: string): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }
}

function resultOf(text: string): string {
  if (!text.startsWith('ERROR ')) return text.includes(' ') ? 'OK' : text
  return text.slice('ERROR '.length).replace('|', '')
}
