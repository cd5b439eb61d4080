/** All guests print 4 KiB at once, twice what a ring holds, as when a host boots all of them. */
import type { Bench } from '../bench.ts'
import type { DaemonName } from '../daemons.ts'
import type { Finding } from '../findings.ts'
import type { LogFindings } from '../logs.ts'
import { type CpuSpent, logsOf, measureCpu, untilDrained } from '../printing.ts'

/** Of 64 bytes. */
const LINES = 64
const LIMIT_S = 120

export async function storm(bench: Bench): Promise<Finding[]> {
  const floor = await stormOn(bench, 'floor')
  const ours = await stormOn(bench, 'consoled')
  return [
    {
      name: 'storm: CPU of consoled',
      unit: 's',
      value: ours.cpu.daemonS,
      target: { bound: 2 },
      note: `${bench.sizes.guests} guests print 4 KiB each; drained in ${ours.cpu.wallS.toFixed(2)} s`,
    },
    {
      name: 'storm: logs equal to what guests printed',
      unit: '',
      value: ours.logs.equal,
      target: { bound: ours.logs.guests, isAtLeast: true, isExact: true },
    },
    {
      name: 'storm: CPU of the floor',
      unit: 's',
      value: floor.cpu.daemonS,
      note: `consoled needs ${(ours.cpu.daemonS / floor.cpu.daemonS).toFixed(2)} times as much`,
    },
    { name: 'storm: CPU of the simulator', unit: 's', value: ours.cpu.simulatorS },
  ]
}

async function stormOn(
  bench: Bench,
  name: DaemonName,
): Promise<{ readonly cpu: CpuSpent; readonly logs: LogFindings }> {
  const host = await bench.fullHost()
  const daemon = await bench.start(name, host)
  try {
    bench.say(`${name}: ${host.guests.length} guests print 4 KiB at once`)
    const stop = measureCpu(host, daemon)
    await host.simulator.print(LINES)
    await untilDrained(host, LIMIT_S)
    const cpu = stop()
    return { cpu, logs: await logsOf(host, daemon) }
  } finally {
    await bench.stop(daemon)
  }
}
