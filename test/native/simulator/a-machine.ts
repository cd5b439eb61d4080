import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DOMAIN_REASON_SHIFT,
  type DomainPorts,
  type Domid,
  type Hypervisor,
} from '../../../native/hypervisor.ts'
import { openHypervisor } from '../../../native/open-hypervisor.ts'
import type { ConnectionId } from '../../../native/ring-set.ts'
import { Simulator, type SimulatorOptions } from '../../../native/simulator/control.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { type ContractRings, contractSpec, makeDomain } from '../contract/machine.ts'

/** What a test has of a guest that runs. */
export interface RunningGuest {
  readonly domid: Domid
  readonly ports: DomainPorts
  readonly ids: { readonly store: ConnectionId; readonly console: ConnectionId }
}

/** A simulated machine in a folder of its own, and one handle to it. */
export class TestMachine {
  readonly simulator: Simulator
  readonly xen: Hypervisor
  /** How often the handle has been told that the machine has gone. */
  timesGone = 0
  /** Settled when it is told. */
  readonly gone: Promise<void>
  /** A kernel for guests of both types. */
  readonly kernel: string
  readonly #folder: ReturnType<typeof aFolder>
  #isKilled = false

  private constructor(simulator: Simulator, folder: ReturnType<typeof aFolder>) {
    this.simulator = simulator
    this.#folder = folder
    this.kernel = join(folder.path, 'kernel')
    writeFileSync(this.kernel, '#!xcl-guest\n')
    let tell = () => {}
    this.gone = new Promise((resolve) => {
      tell = resolve
    })
    this.xen = openHypervisor('sim', {
      simulator: simulator.socketPath,
      onGone: () => {
        this.timesGone++
        tell()
      },
    })
  }

  static async start(options: Partial<SimulatorOptions> = {}): Promise<TestMachine> {
    const folder = aFolder()
    const xen = options.xen ?? '4.17'
    const simulator = await Simulator.start({ runDir: folder.path, ...options, xen })
    return new TestMachine(simulator, folder)
  }

  /** Guests that run and have said READY. */
  async guests(rings: ContractRings, count: number): Promise<RunningGuest[]> {
    const guests: RunningGuest[] = []
    for (let i = 0; i < count; i++) {
      const { domid, ports } = await makeDomain(this.xen, contractSpec('pvh'), this.kernel)
      guests.push({ domid, ports, ids: rings.attach(domid, ports) })
      this.xen.domains.unpause(domid)
    }
    await rings.until(() => guests.every(({ ids }) => isReady(rings.printedOn.get(ids.console))))
    return guests
  }

  /** As if somebody had killed the machine's process. */
  kill(): void {
    this.#isKilled = true
    process.kill(this.simulator.pid, 'SIGKILL')
  }

  /** @throws Error when the machine has not ended as it should; a sanitizer ends it otherwise */
  async stop(): Promise<void> {
    this.xen.close()
    const { code, signal, said } = await this.simulator.stop()
    this.#folder.remove()
    if (code !== 0 && !this.#isKilled) throw new Error(`it ended with ${code ?? signal}: ${said}`)
  }
}

function isReady(printed: string | undefined): boolean {
  return printed !== undefined && /READY [^\n]*\n/.test(printed)
}

/** Pairs of domid and state by domid, without the reason of a shutdown. */
export function stateBits(pairs: Int32Array | undefined): Map<number, number> {
  const bits = new Map<number, number>()
  for (let i = 0; pairs !== undefined && i < pairs.length; i += 2) {
    bits.set(pairs[i] ?? 0, (pairs[i + 1] ?? 0) & ((1 << DOMAIN_REASON_SHIFT) - 1))
  }
  return bits
}
