import {
  SimulatedHost,
  type SimulatedHostOptions,
  type Traces,
} from '../../support/a-simulated-host.ts'

/** What daemons have to notice by themselves has so long. */
export const SETTLED = { timeout: 15_000, interval: 20 }

/** A host on which a guest was, so that what is made once and stays is there; and what that is. */
export async function aQuietHost(
  options: SimulatedHostOptions = {},
): Promise<{ readonly host: SimulatedHost; readonly nothing: Traces }> {
  const host = await SimulatedHost.start(options)
  await host.create('first', ['vif = [""]', `disk = ["${host.kernel},raw,xvda,r"]`])
  await host.xcl(['destroy', 'first'])
  for (;;) {
    const nothing = await host.traces()
    // The ring of dom0's own kernel is all that is left.
    if (nothing.pagesHeld === 1 && nothing.domains === 1) return { host, nothing }
  }
}
