/**
 * Requests worth keeping: each was the first of its kind to be answered as it was. They are said again in
 * every run, and bent into others.
 *
 * A line of the file is `type ring|socket result payload`, the payload as base64.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

export interface Sample {
  readonly type: number
  readonly payload: Buffer
}

export class Samples {
  readonly all: Sample[] = []
  readonly #lines: string[] = []
  readonly #kinds = new Set<string>()

  /** Takes up what is in the file, which may be missing. */
  static from(file: string): Samples {
    const samples = new Samples()
    if (!existsSync(file)) return samples
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [type, kind, result, payload = ''] = line.split(' ')
      if (type === undefined || kind === undefined || result === undefined) continue
      samples.add(Number(type), kind, result, Buffer.from(payload, 'base64'))
    }
    return samples
  }

  /** Keeps the request if none of its type has come to that result on that kind of connection. */
  add(type: number, kind: string, result: string, payload: Buffer): void {
    const key = `${type} ${kind} ${result}`
    if (this.#kinds.has(key)) return
    this.#kinds.add(key)
    this.all.push({ type, payload })
    this.#lines.push(`${key} ${payload.toString('base64')}`)
  }

  save(file: string): void {
    writeFileSync(file, `${this.#lines.sort().join('\n')}\n`)
  }
}
