import { connectDatagrams, type DatagramSocket } from '../addon.ts'

export type { DatagramSocket }

/**
 * A way to whoever receives datagrams at a unix socket; nothing ever waits.
 *
 * @throws XenError when nobody receives there (`ENOENT`, `ECONNREFUSED`)
 */
export function openDatagrams(path: string): DatagramSocket {
  return connectDatagrams(path)
}
