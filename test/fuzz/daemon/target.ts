/** The daemon that is fuzzed: lixs as a process on a simulated machine, and what it says of itself. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { XenstoreClient } from '../../../lixs/client/client.ts'
import { Simulator } from '../../../native/simulator/control.ts'
import { type ProgramProcess, startLixs } from '../../support/a-program.ts'
import { aFolder } from '../../support/a-socket-peer.ts'
import { TappedGuests } from '../../support/a-tapped-guest.ts'
import { Violation } from './violation.ts'

/** Figures that have to come back to what they were when nothing of a run is left. */
const RETURNING = [
  'domains',
  'connections',
  'nodes',
  'watches',
  'transactions',
  'accessRecords',
  'permLists',
  'blocks',
]
const OWN_NODES = ['/', '/tool', '/tool/xenstored']
const SPECIALS = ['@introduceDomain', '@releaseDomain']
const PAGE_KIB = 4

export class Target {
  readonly socketPath: string
  readonly admin: XenstoreClient
  readonly guests: TappedGuests
  readonly #folder: { readonly path: string; remove(): void }
  readonly #lixs: ProgramProcess
  /** Permissions that a fresh store has, by path. */
  readonly #perms = new Map<string, string[]>()
  #start: Record<string, number> = {}

  private constructor(
    folder: { readonly path: string; remove(): void },
    lixs: ProgramProcess,
    admin: XenstoreClient,
    guests: TappedGuests,
  ) {
    this.socketPath = join(folder.path, 'store.sock')
    this.#folder = folder
    this.#lixs = lixs
    this.admin = admin
    this.guests = guests
  }

  static async start(xen: '4.17' | '4.21'): Promise<Target> {
    const folder = aFolder()
    const simulator = await Simulator.start({ runDir: folder.path, xen, memoryMiB: 1024 })
    const socketPath = join(folder.path, 'store.sock')
    const machine = ['--hypervisor', 'sim', '--simulator', simulator.socketPath]
    const lixs = startLixs(['--no-fork', ...machine, '--socket-path', socketPath])
    await lixs.said(/"msg":"serving"/)
    const admin = await XenstoreClient.connect(socketPath)
    const target = new Target(folder, lixs, admin, await TappedGuests.on(simulator))
    await target.#noteStart()
    return target
  }

  get ended(): ProgramProcess['ended'] {
    return this.#lixs.ended
  }

  path(name: string): string {
    return join(this.#folder.path, name)
  }

  /** Resident memory of the daemon. */
  residentKiB(): number {
    const [, pages = '0'] = readFileSync(`/proc/${this.#lixs.child.pid}/statm`, 'latin1').split(' ')
    return Number(pages) * PAGE_KIB
  }

  async figures(): Promise<Record<string, number>> {
    const lines = (await this.admin.control('stats')).trimEnd().split('\n')
    return Object.fromEntries(
      lines.map((line): [string, number] => {
        const [name = '', value] = line.split(' ')
        return [name, Number(value)]
      }),
    )
  }

  /**
   * Takes away what clients have left in the store; then everything has to be as at the start. The daemon
   * hears of closed connections and of deaths in its own time, so it is asked until it has.
   * @throws Violation with the figures that do not come back
   */
  async checkNothingIsLeft(): Promise<void> {
    let left = ''
    for (let asked = 0; asked < 400; asked++) {
      await this.#clean()
      const figures = await this.figures()
      left = RETURNING.filter((name) => figures[name] !== this.#start[name])
        .map((name) => `${name} ${figures[name]}, was ${this.#start[name]}`)
        .join('; ')
      if (left === '') break
    }
    if (left !== '') throw new Violation(`something is left when all is closed: ${left}`)
    await this.checkConsistency()
  }

  /** @throws Violation with what the daemon finds wrong in its own tables, whatever goes on meanwhile */
  async checkConsistency(): Promise<void> {
    const said = await this.admin.control('check')
    if (!/^OK\b/.test(said)) throw new Violation(`CONTROL check says: ${said}`)
  }

  /**
   * Another program takes the daemon's place while everybody goes on; transactions that are open for a second
   * are lost.
   * @throws Violation unless it does
   */
  async update(): Promise<void> {
    const said = await this.admin.control('live-update', '-s', '-F', '-t', '1')
    if (!/^OK\b/.test(said)) throw new Violation(`CONTROL live-update says: ${said}`)
  }

  /** @throws Violation unless the daemon ends when told, having logged no defect */
  async stop(): Promise<void> {
    this.admin.close()
    this.#lixs.child.kill('SIGTERM')
    const { code, signal, stderr } = await this.#lixs.ended
    this.guests.close()
    await this.guests.simulator.stop()
    this.#folder.remove()
    if (code !== 0) throw new Violation(`the daemon ended with ${code ?? signal}: ${tail(stderr)}`)
    if (/a defect|"level":(50|60)/.test(stderr)) {
      throw new Violation(`the daemon has logged a defect: ${tail(stderr)}`)
    }
  }

  /** Ends everything, whatever state it is in. */
  async abandon(): Promise<string> {
    this.#lixs.child.kill('SIGKILL')
    const { stderr } = await this.#lixs.ended
    this.admin.close()
    this.guests.close()
    await this.guests.simulator.stop()
    this.#folder.remove()
    return tail(stderr)
  }

  async #noteStart(): Promise<void> {
    for (const path of [...OWN_NODES, ...SPECIALS]) {
      this.#perms.set(path, await this.admin.getPerms(path))
    }
    await this.#clean()
    this.#start = await this.figures()
  }

  async #clean(): Promise<void> {
    const { admin } = this
    for (const name of (await admin.directory('/')) ?? []) {
      if (name !== 'tool') await admin.rm(`/${name}`)
    }
    for (const path of OWN_NODES) await admin.write(path, '')
    for (const name of (await admin.directory('/tool')) ?? []) {
      if (name !== 'xenstored') await admin.rm(`/tool/${name}`)
    }
    for (const name of (await admin.directory('/tool/xenstored')) ?? []) {
      await admin.rm(`/tool/xenstored/${name}`)
    }
    for (const [path, perms] of this.#perms) await admin.setPerms(path, perms)
  }
}

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-12).join('\n')
}
