/** How xcld is killed at each step of a creation: in the middle of what the step asks others for. */
import { createConnection } from 'node:net'
import {
  CLIENT_STDIN,
  encodeFrame,
  encodeRequest,
  FrameDecoder,
  TO_ATTACH,
  TO_READ_STDIN,
} from '../../../xcl/daemon/protocol.ts'
import type { SimulatedHost } from '../../support/a-simulated-host.ts'

export interface Kill {
  /** When: goes into the test's name. */
  readonly when: string
  /** Lines of the guest's configuration. */
  readonly config?: (host: SimulatedHost) => readonly string[]
  /** Asks for the guest; settles when xcld has been killed. */
  readonly create: (host: SimulatedHost, config: readonly string[]) => Promise<void>
  /** The guest was complete: it is the next xcld's. */
  readonly isKept?: boolean
}

const withDisk = (host: SimulatedHost): readonly string[] => [
  `disk = ["${host.kernel},raw,xvda,r"]`,
]
const twoDisks = ({ kernel }: SimulatedHost): readonly string[] => [
  `disk = ["${kernel},raw,xvda,r", "${kernel},raw,xvdb,r"]`,
]
const withDevices = (host: SimulatedHost): readonly string[] => ['vif = [""]', ...withDisk(host)]

/** By the step's name (CREATE_STEPS in xcl/domain/create.ts). */
export const KILLS: Readonly<Record<string, Kill>> = {
  name: {
    when: 'it has reserved the name, and nothing else: the next step asks nobody before the journal',
    create: (host, config) => killedByXen(host, config, 'domain_create'),
  },
  claim: {
    when: 'it has claimed and written the journal, and opens the first disk',
    config: withDisk,
    create: (host, config) => killedByXen(host, config, 'open_disk'),
  },
  journal: {
    when: 'it has written the journal, and opens the second disk',
    config: twoDisks,
    create: (host, config) => killedByXen(host, config, 'open_disk', 1),
  },
  disks: {
    when: 'it has opened the disks, and asks for a domain',
    config: twoDisks,
    create: (host, config) => killedByXen(host, config, 'domain_create'),
  },
  domain: {
    when: 'it has a domain, and asks for vcpus',
    create: (host, config) => killedByXen(host, config, 'domain_max_vcpus'),
  },
  prepare: {
    when: 'it has prepared the domain, and asks for memory',
    create: (host, config) => killedByXen(host, config, 'dom_boot_mem_init'),
  },
  image: {
    when: 'it builds the image, and opens the transaction',
    create: (host, config) => killedAtStore(host, config, 'TRANSACTION_START'),
  },
  store: {
    when: 'it commits the nodes',
    config: withDevices,
    create: (host, config) => killedAtStore(host, config, 'TRANSACTION_END'),
  },
  introduce: {
    when: 'it introduces the domain',
    config: withDevices,
    create: (host, config) => killedAtStore(host, config, 'INTRODUCE'),
  },
  devices: {
    when: 'it puts the interface on its bridge',
    config: withDevices,
    create: (host, config) => killedByXen(host, config, 'join_bridge'),
  },
  attach: {
    when: 'it has the console attached',
    create: killedAtConsole,
  },
  record: {
    when: 'it has recorded the guest, and starts it',
    config: withDevices,
    create: (host, config) => killedByXen(host, config, 'domain_unpause'),
  },
  unpause: {
    when: 'it has started the guest',
    config: withDevices,
    create: async (host, config) => {
      await host.create('demo', config)
      await host.killProgram('xcld')
    },
    isKept: true,
  },
}

async function killedByXen(
  host: SimulatedHost,
  config: readonly string[],
  name: string,
  after = 0,
): Promise<void> {
  await host.simulator.fault({ name, errno: 'SIGKILL', after, times: 1 })
  await Promise.allSettled([host.create('demo', config), host.program('xcld').ended])
}

async function killedAtStore(
  host: SimulatedHost,
  config: readonly string[],
  op: string,
): Promise<void> {
  const request = host.storeProxy.hold(op)
  const creation = Promise.allSettled([host.create('demo', config)])
  await request.came
  await host.killProgram('xcld')
  request.release()
  await creation
}

/** The client is to show the console, and xcld waits for it. */
async function killedAtConsole(host: SimulatedHost, config: readonly string[]): Promise<void> {
  const socket = createConnection(host.path('xcld.sock'))
  const decoder = new FrameDecoder()
  socket.on('error', () => undefined)
  const asked = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      for (const { kind } of decoder.push(bytes)) {
        if (kind === TO_ATTACH) resolve()
        if (kind !== TO_READ_STDIN) continue
        socket.write(encodeFrame(CLIENT_STDIN, Buffer.from(host.configuration('demo', config))))
        socket.write(encodeFrame(CLIENT_STDIN, Buffer.alloc(0)))
      }
    })
  })
  socket.write(encodeRequest(host.folder.path, ['create', '--console', '-']))
  await asked
  await host.killProgram('xcld')
  socket.destroy()
}
