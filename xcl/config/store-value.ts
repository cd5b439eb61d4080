/** What of a configuration is written to XenStore has to fit there. */
import { ConfigError, type ConfigPlace } from '../output/errors.ts'

/**
 * XenStore takes 4096 bytes in a request (XENSTORE_PAYLOAD_MAX of xen/io/xs_wire.h): the path of a
 * node, for which 256 are kept, and its value.
 */
const MAX_BYTES = 4096 - 256

/** @throws ConfigError when the value is longer than what a node can hold */
export function checkFits(what: string, value: string, place: ConfigPlace | undefined): void {
  const bytes = Buffer.byteLength(value)
  if (bytes <= MAX_BYTES) return
  throw new ConfigError(`${what}: must be at most ${MAX_BYTES} bytes long, not ${bytes}`, place)
}
