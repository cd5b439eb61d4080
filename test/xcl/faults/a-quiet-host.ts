import {
  SimulatedHost,
  type SimulatedHostOptions,
  type Traces,
} from '../../support/a-simulated-host.ts'

/** What daemons have to notice by themselves has so long. */
export const SETTLED = { timeout: 15_000, interval: 20 }

export interface QuietHost {
  readonly host: SimulatedHost
  readonly nothing: Traces
  /** Which loop device the first disk gets, as the store has it. */
  readonly firstDisk: string | undefined
}

/** A host on which a guest was, so that what is made once and stays is there; and what that is. */
export async function aQuietHost(options: SimulatedHostOptions = {}): Promise<QuietHost> {
  const host = await SimulatedHost.start(options)
  const more = ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`]
  const { domid } = JSON.parse((await host.create('first', more)).stdout)
  const firstDisk = await diskOf(host, domid)
  await host.xcl(['destroy', 'first'])
  for (;;) {
    const nothing = await host.traces()
    // The ring of dom0's own kernel is all that is left.
    if (nothing.pagesHeld === 1 && nothing.domains === 1) return { host, nothing, firstDisk }
  }
}

/** The device behind a guest's xvda. */
export async function diskOf(host: SimulatedHost, domid: number): Promise<string | undefined> {
  const store = await host.store()
  const disk = await store.read(`/local/domain/0/backend/vbd/${domid}/51712/physical-device`)
  store.close()
  return disk
}
