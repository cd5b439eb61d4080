import { join } from 'node:path'
import { Simulator } from '../../native/simulator/control.ts'
import { startLixs } from '../support/a-program.ts'
import { aFolder } from '../support/a-socket-peer.ts'
import { TappedGuests } from '../support/a-tapped-guest.ts'
import type { DaemonUnderTest } from './daemon.ts'
import { TappedMachine } from './tapped-machine.ts'

/** Limits of guests, small enough to be reached; the stock daemons get the same. */
export const LIMITS = { nodes: 120, watches: 12, transactions: 3, permissions: 5 } as const

/** lixs as a process, on a simulated machine of its own or without any. */
export async function aLixs(name: string, hasGuests: boolean): Promise<DaemonUnderTest> {
  const folder = aFolder()
  const socketPath = join(folder.path, 'store.sock')
  const simulator = hasGuests
    ? await Simulator.start({ runDir: folder.path, xen: '4.17' })
    : undefined
  const limits = Object.entries({
    nodes: LIMITS.nodes,
    watches: LIMITS.watches,
    transactions: LIMITS.transactions,
    permissions: LIMITS.permissions,
  }).flatMap(([quota, limit]) => ['-Q', `${quota}=${limit}`])
  const program = startLixs([
    '--no-fork',
    '--no-domain-init',
    ...['--socket-path', socketPath],
    ...(simulator === undefined
      ? ['--hypervisor', 'none']
      : ['--hypervisor', 'sim', '--simulator', simulator.socketPath]),
    ...limits,
  ])
  await program.said(/"msg":"serving"/)
  const guests = simulator === undefined ? undefined : await TappedGuests.on(simulator)
  return {
    name,
    socketPath,
    machine: guests === undefined ? undefined : new TappedMachine(guests),
    ended: program.ended,
    async stop() {
      program.child.kill()
      await program.ended
      guests?.close()
      await simulator?.stop()
      folder.remove()
    },
  }
}
