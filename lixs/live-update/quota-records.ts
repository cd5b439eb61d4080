/** Quotas as the stream names them. */
import { HARD_QUOTAS, SOFT_QUOTAS } from '../quota-names.ts'
import type { Quotas } from '../store/quota.ts'
import { QUOTA_HEADER_LENGTH } from './stream-format.ts'
import type { StreamReader } from './stream-reader.ts'
import type { StreamWriter } from './stream-writer.ts'

/** Values by quota; 0 = unlimited. */
export type QuotaValues = ReadonlyMap<keyof Quotas, number>

/** Each quota's name in the stream; soft ones have a prefix. */
export const STREAM_QUOTAS: readonly (readonly [string, keyof Quotas])[] = [
  ...HARD_QUOTAS.map(({ name, key }) => [name, key] as const),
  ...SOFT_QUOTAS.map(({ name, key }) => [`soft-${name}`, key] as const),
]

const KEYS: ReadonlyMap<string, keyof Quotas> = new Map(STREAM_QUOTAS)

/** Bytes of the values and their names. */
export function quotasLength(quotas: QuotaValues): number {
  let length = 0
  for (const [name, key] of STREAM_QUOTAS) if (quotas.has(key)) length += 4 + name.length + 1
  return length
}

export function writeQuotas(writer: StreamWriter, quotas: QuotaValues): void {
  const present = STREAM_QUOTAS.filter(([, key]) => quotas.has(key))
  for (const [, key] of present) writer.u32(quotas.get(key) ?? 0)
  for (const [name] of present) writer.text(name)
}

/** @param at where the values begin; names that nobody here knows are passed over */
export function readQuotas(reader: StreamReader, at: number, count: number): QuotaValues {
  const quotas = new Map<keyof Quotas, number>()
  const text = reader.bytes(at + count * 4, reader.length)
  let start = 0
  for (let i = 0; i < count; i++) {
    const end = text.indexOf(0, start)
    if (end <= start) reader.refuse('lacks names of quotas')
    const key = KEYS.get(Buffer.from(text.subarray(start, end)).toString('latin1'))
    if (key !== undefined) quotas.set(key, reader.u32(at + i * 4))
    start = end + 1
  }
  return quotas
}

/** @returns where the values of a GLOBAL_QUOTA begin, and how many there are */
export function globalQuotas(reader: StreamReader): QuotaValues {
  return readQuotas(reader, QUOTA_HEADER_LENGTH, reader.u16(0) + reader.u16(2))
}
