/**
 * A process with a handle to a simulated machine.
 *
 *   holder.ts open SOCKET    opens it and does nothing more
 *   holder.ts hold SOCKET DOMID STORE_PORT CONSOLE_PORT
 *                            holds VIRQ_DOM_EXC and the domain's rings until it is killed; prints `holds`
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { domidFrom, type EvtchnPort, VIRQ_DOM_EXC } from '../../../native/hypervisor.ts'
import { openHypervisor } from '../../../native/open-hypervisor.ts'
import { ContractRings } from '../contract/machine.ts'

const SELF = fileURLToPath(import.meta.url)

/** @param words the arguments of the process */
export function startHolder(words: readonly string[]): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, ['--import', 'tsx', SELF, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function main([what, simulator = '', ...numbers]: readonly string[]): void {
  const xen = openHypervisor('sim', { simulator, onGone: () => process.exit(1) })
  if (what === 'open') return
  const [domid, store, console] = numbers
  const rings = new ContractRings(xen, [VIRQ_DOM_EXC])
  const owner = domidFrom(domid ?? '')
  if (owner === undefined) throw new Error(`no domid: ${domid}`)
  rings.attach(owner, {
    storePort: Number(store) as EvtchnPort,
    consolePort: Number(console) as EvtchnPort,
  })
  process.stdout.write('holds\n')
}

if (process.argv[1] === SELF) main(process.argv.slice(2))
