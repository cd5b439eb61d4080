/** Requests as they come over the socket; the grammar stands in client.ts. */
import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import { type AttachOptions, DEFAULT_TAIL_BYTES, type TerminalSize } from './client.ts'

/** How somebody looks at a console, with nothing left open that has a default. */
export type AttachTerms = Required<Pick<AttachOptions, 'writes' | 'isExact' | 'tailBytes'>> &
  Pick<AttachOptions, 'from' | 'uuid' | 'size' | 'by'> & { readonly tailBytes: number }

export type AttachRequest =
  | { readonly kind: 'attach'; readonly domid: Domid; readonly terms: AttachTerms }
  | { readonly kind: 'resize'; readonly domid: Domid; readonly size: TerminalSize }
  | { readonly kind: 'logs'; readonly domain: Domid | string }

/** @returns a sentence when it is none */
export function parseAttachRequest(line: string): AttachRequest | string {
  const [, verb, rest] = /^([a-z]+) (.+)$/.exec(line) ?? []
  if (verb === 'logs' && rest !== undefined) {
    return { kind: 'logs', domain: domidFrom(rest) ?? rest }
  }
  const [number, ...words] = rest?.split(' ') ?? []
  const domid = number === undefined ? undefined : domidFrom(number)
  if (domid === undefined) return NO_REQUEST
  if (verb === 'attach') return parseAttach(domid, words)
  if (verb !== 'resize') return NO_REQUEST
  const size = words.length === 1 ? sizeFrom(words[0]) : undefined
  return size === undefined
    ? 'a size is <columns>x<rows>, both from 1 to 65535'
    : { kind: 'resize', domid, size }
}

const NO_REQUEST =
  'a request is "attach <domid> [option]…", "resize <domid> <columns>x<rows>" or "logs <domain>"'

function parseAttach(domid: Domid, words: readonly string[]): AttachRequest | string {
  let terms: AttachTerms = {
    writes: 'shared',
    isExact: false,
    tailBytes: DEFAULT_TAIL_BYTES,
    from: undefined,
    uuid: undefined,
    size: undefined,
    by: undefined,
  }
  for (const word of words) {
    const more = termsFrom(word)
    if (more === undefined) return `there is no option "${word}" of attach`
    terms = { ...terms, ...more }
  }
  return { kind: 'attach', domid, terms }
}

function termsFrom(word: string): Partial<AttachTerms> | undefined {
  if (word === 'ro') return { writes: 'no' }
  if (word === 'exclusive') return { writes: 'exclusive' }
  if (word === 'exact') return { isExact: true }
  const [, key, value = ''] = /^([a-z]+)=(.+)$/.exec(word) ?? []
  const number = /^[0-9]{1,10}$/.test(value) ? Number(value) : undefined
  if (key === 'tail' && number !== undefined) return { tailBytes: number }
  if (key === 'from' && number !== undefined && number < 2 ** 32) return { from: number }
  if (key === 'uuid' && /^[0-9a-f-]{36}$/.test(value)) return { uuid: value }
  if (key === 'by' && /^[A-Za-z0-9:/._,-]{1,80}$/.test(value)) return { by: value }
  const size = key === 'size' ? sizeFrom(value) : undefined
  return size === undefined ? undefined : { size }
}

function sizeFrom(text: string | undefined): TerminalSize | undefined {
  const [, columns, rows] = /^([0-9]{1,5})x([0-9]{1,5})$/.exec(text ?? '') ?? []
  const size = { columns: Number(columns), rows: Number(rows) }
  const isPossible = (count: number): boolean => count >= 1 && count <= 65_535
  return isPossible(size.columns) && isPossible(size.rows) ? size : undefined
}
