import { resolve } from 'node:path'
import { UsageError } from '../command-line.ts'

/** Where metrics are answered. */
export type MetricsAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

const UNIX = 'unix:'
/** Who says nothing of a host opens the daemon to nobody else. */
const THIS_HOST = '127.0.0.1'

/**
 * `unix:/PATH`, `HOST:PORT`, `[IPV6]:PORT` or `:PORT`.
 *
 * @throws UsageError
 */
export function metricsAddressFrom(text: string): MetricsAddress {
  if (text.startsWith(UNIX) && text.length > UNIX.length) {
    return { kind: 'unix', path: resolve(text.slice(UNIX.length)) }
  }
  const match = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new UsageError(`--metrics: "${text}" is not unix:/PATH, HOST:PORT or :PORT`)
  }
  return { kind: 'tcp', host: match[1] || match[2] || THIS_HOST, port }
}
