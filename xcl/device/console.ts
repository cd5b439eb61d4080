/**
 * The console every domain has (device console 0): its two halves in XenStore, without `tty`. That
 * node is what asks a console daemon for a pseudo terminal; consoled's viewers need none.
 */
import type { TransactionWrites } from '../../lixs/client/transaction-writes.ts'
import type { Domid, EvtchnPort, Gfn } from '../../native/hypervisor.ts'

/** Bytes the console daemon keeps for a reader that is slow or away; libxl's value. */
const LIMIT_BYTES = '1048576'

export function frontendPath(domid: Domid): string {
  return `/local/domain/${domid}/console`
}

/** The folder of all of a domain's console backends. */
export function backendPath(domid: Domid): string {
  return `/local/domain/0/backend/console/${domid}`
}

export function writeConsole(
  tx: TransactionWrites,
  domid: Domid,
  port: EvtchnPort,
  gfn: Gfn,
): void {
  const frontend = frontendPath(domid)
  const backend = `${backendPath(domid)}/0`
  const trusted = `/libxl/${domid}/device/console/0`

  // The two nodes that are the guest's take over the permissions that the folder has at first.
  tx.mkdir(frontend)
  tx.setPerms(frontend, [`n${domid}`, 'r0'])
  tx.write(`${frontend}/backend`, backend)
  tx.write(`${frontend}/backend-id`, '0')
  tx.setPerms(frontend, ['n0', `r${domid}`])
  tx.write(`${frontend}/limit`, LIMIT_BYTES)
  tx.write(`${frontend}/type`, 'xenconsoled')
  tx.write(`${frontend}/output`, 'pty')
  tx.write(`${frontend}/port`, String(port))
  tx.write(`${frontend}/ring-ref`, String(gfn))

  tx.mkdir(backend)
  tx.setPerms(backend, ['n0', `r${domid}`])
  for (const [name, value] of backendKeys(domid)) tx.write(`${backend}/${name}`, value)

  // The copy that the toolstack trusts when it takes the device away.
  tx.write(`${trusted}/frontend`, frontend)
  tx.write(`${trusted}/backend`, backend)
  for (const [name, value] of backendKeys(domid).slice(1)) tx.write(`${trusted}/${name}`, value)
}

function backendKeys(domid: Domid): readonly (readonly [string, string])[] {
  return [
    ['frontend', frontendPath(domid)],
    ['frontend-id', String(domid)],
    ['online', '1'],
    ['state', '1'],
    ['protocol', 'vt100'],
  ]
}
