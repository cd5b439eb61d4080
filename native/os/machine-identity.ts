/** Which machine this is, from its start to its end: what is noted of its domains is true no longer than that. */
import { readFileSync, statSync } from 'node:fs'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/**
 * Another text after each boot; of a simulated machine also after each start of it, for it makes its socket.
 *
 * @param simulator socket of the simulated machine; undefined: the real one
 * @throws NodeJS.ErrnoException
 */
export function machineIdentity(simulator: string | undefined): string {
  const boot = readFileSync(BOOT_ID, 'latin1').trim()
  if (simulator === undefined) return boot
  const { dev, ino, mtimeNs } = statSync(simulator, { bigint: true })
  return `${boot} ${dev} ${ino} ${mtimeNs}`
}
