/** All guests print a line a second; consoled has viewers meanwhile, the floor has none. */
import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { ConsoleDaemon, DaemonName } from '../daemons.ts'
import type { Finding } from '../findings.ts'
import type { ConsoleHost } from '../host.ts'
import type { LogFindings } from '../logs.ts'
import { type CpuSpent, logsOf, measureCpu, untilDrained } from '../printing.ts'
import { Viewers, type ViewersFindings } from '../viewers.ts'

const RATE = 1
const DRAIN_LIMIT_S = 60
const PER_CENT = 100

interface Printing {
  readonly cpu: CpuSpent
  readonly logs: LogFindings
  readonly viewers: ViewersFindings
}

export async function print(bench: Bench): Promise<Finding[]> {
  const { guests, viewers: count, seconds } = bench.sizes
  const host = await bench.fullHost()
  const floor = await printed(bench, host, 'floor', 0)
  const alone = await printed(bench, host, 'consoled', 0)
  const ours = await printed(bench, host, 'consoled', count)
  const { logs, viewers } = ours
  const share = ({ cpu }: Printing) => (PER_CENT * cpu.daemonS) / cpu.wallS
  return [
    {
      name: 'print: logs equal to what guests printed',
      unit: '',
      value: logs.equal,
      target: { bound: logs.guests, isAtLeast: true, isExact: true },
      note: `${guests} guests, ${seconds} s, a line a second each; ${logs.loggedBytes} bytes`,
    },
    {
      name: 'print: lines that viewers missed',
      unit: '',
      value: viewers.outOfOrder + viewers.failed,
      target: { bound: 0, isExact: true },
      note: `${count} viewers attached ${viewers.attached} times and saw ${viewers.lines} lines`,
    },
    {
      name: 'print: CPU of consoled, with viewers',
      unit: '%',
      value: share(ours),
      target: { bound: 15 },
      note: `viewers themselves ${((PER_CENT * ours.cpu.driverS) / ours.cpu.wallS).toFixed(1)} %`,
    },
    {
      name: 'print: CPU of consoled with viewers by the floor',
      unit: '×',
      value: share(ours) / share(floor),
      target: { bound: 2.5 },
    },
    { name: 'print: CPU of consoled without viewers', unit: '%', value: share(alone) },
    { name: 'print: CPU of the floor', unit: '%', value: share(floor) },
    {
      name: 'print: CPU of the simulator',
      unit: '%',
      value: (PER_CENT * ours.cpu.simulatorS) / ours.cpu.wallS,
      note: `${((PER_CENT * floor.cpu.simulatorS) / floor.cpu.wallS).toFixed(1)} % with the floor`,
    },
  ]
}

async function printed(
  bench: Bench,
  host: ConsoleHost,
  name: DaemonName,
  viewers: number,
): Promise<Printing> {
  const daemon = await bench.start(name, host)
  try {
    return await printTo(bench, host, daemon, viewers)
  } finally {
    await bench.stop(daemon)
  }
}

/** Guests print to a daemon that serves them all. @throws NotDrained */
export async function printTo(
  bench: Bench,
  host: ConsoleHost,
  daemon: ConsoleDaemon,
  viewerCount: number,
  seconds = bench.sizes.seconds,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<Printing> {
  bench.say(`${daemon.name}: ${host.guests.length} guests print for ${seconds} s`)
  const viewers = new Viewers(viewerCount, daemon.attachSocket, host.guests)
  const stop = measureCpu(host, daemon)
  await host.simulator.print(seconds * RATE, RATE)
  await Promise.all([setTimeout(seconds * 1000), meanwhile()])
  try {
    await untilDrained(host, DRAIN_LIMIT_S)
  } finally {
    viewers.stop()
  }
  // Who lags behind does the rest later: all of it counts, by the time in which it was printed.
  const cpu = { ...stop(), wallS: seconds }
  bench.say(`${daemon.name}: reading the logs`)
  return { cpu, viewers: viewers.stop(), logs: await logsOf(host, daemon) }
}
