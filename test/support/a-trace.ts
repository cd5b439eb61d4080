import { Trace } from '../../lixs/trace.ts'
import type { TraceOutput } from '../../lixs/trace-file.ts'

/** A trace in memory. Its clock stands still. */
export class TraceLines implements TraceOutput {
  readonly lines: string[] = []
  /** Files that cannot be opened. */
  readonly unwritable = new Set<string>()
  file: string | undefined
  isOpen = false

  open(file = this.file): void {
    if (file === undefined || this.unwritable.has(file)) throw new Error(`cannot open ${file}`)
    this.file = file
    this.isOpen = true
  }

  close(): void {
    this.isOpen = false
  }

  write(line: string): void {
    this.lines.push(line)
  }

  /** What came since the last time, without times and newlines. */
  take(): string[] {
    return this.lines.splice(0).map((line) => line.replace(/^\S+ \S+ /, '').trimEnd())
  }
}

/** A trace that nobody has opened yet, and its lines. */
export function aTrace(): { readonly trace: Trace; readonly traced: TraceLines } {
  const traced = new TraceLines()
  return { trace: new Trace(traced, () => Date.UTC(2026, 10, 22, 18, 10, 58) + 0.25), traced }
}
