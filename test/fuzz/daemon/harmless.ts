/**
 * What a privileged client may say without pulling the ground from under the others of a run: requests that
 * end guests which are judged, change limits for all, or move logs and programs, are not sent.
 */
import {
  XS_CONTROL,
  XS_INTRODUCE,
  XS_RELEASE,
  XS_SET_FEATURE,
  XS_SET_QUOTA,
} from '../../../lixs/wire/ops.ts'

/** Domains of guests that are judged: no others are in this range. */
export const FIRST_GUEST = 31_001
const LAST_GUEST = 31_099
const WITH_EFFECT = new Set(['log', 'logfile', 'live-update', 'memreport', 'trace', 'loglevel'])

export function isHarmless(type: number, payload: Buffer): boolean {
  if (type === XS_CONTROL) {
    const [command = '', verb = ''] = stringsIn(payload)
    return !WITH_EFFECT.has(command) && verb !== 'set'
  }
  if (type === XS_SET_QUOTA) {
    const words = stringsIn(payload)
    return words.length >= 3 && !isOfGuest(words[0])
  }
  if (type === XS_RELEASE || type === XS_INTRODUCE || type === XS_SET_FEATURE) {
    return !isOfGuest(stringsIn(payload)[0])
  }
  return true
}

function stringsIn(payload: Buffer): string[] {
  return payload.toString('latin1').split('\0')
}

function isOfGuest(text = ''): boolean {
  const domid = Number.parseInt(text, 10)
  return domid >= FIRST_GUEST && domid <= LAST_GUEST
}
