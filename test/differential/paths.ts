import { homeOf } from './vocabulary.ts'

/** What a connection means by a path, or by the path at the beginning of a payload. */
export function absolute(on: string, payload: string): string {
  const [path = ''] = payload.split('|')
  const domid = on.startsWith('g') ? Number(on.slice(1)) : 0
  return /^[/@]/.test(path) ? path : `${homeOf(domid)}/${path}`
}

/** Is a path another one, or below it? */
export function isAtOrBelow(path: string, above: string): boolean {
  return above === '/' || path === above || path.startsWith(`${above}/`)
}

/** Is one of two paths the other, or above it? */
export function isRelated(one: string, other: string): boolean {
  return isAtOrBelow(one, other) || isAtOrBelow(other, one)
}
