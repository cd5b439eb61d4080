import { OPTIONS, type OptionName, optionsFrom } from '../../../bench/start/options.ts'
import { forEachProcess } from '../../../bench/start/processes.ts'
import type { Results } from '../../../bench/start/results.ts'
import { windowsOf } from '../../../bench/start/windows.ts'
import { parseCommandLine } from '../../../native/os/command-line.ts'

/** Figures of a run of 1,000 guests; creates took 2 ms at first and 3 ms at the end, READY 1 ms more. */
export function someResults(changes: Partial<Results> = {}): Results {
  const ms = (plus: number) =>
    windowsOf(Float64Array.from({ length: 1000 }, (_, i) => (i < 500 ? 2 : 3) + plus))
  return {
    options: optionsFrom(parseCommandLine<OptionName>(OPTIONS, ['--guests', '1000'], {})),
    created: 1000,
    ready: 999,
    late: 0,
    connected: { vif: 0, vbd: 0 },
    errors: [],
    ringRequests: 12_345,
    latencies: { create: ms(0), xcld: ms(-1), ready: ms(1) },
    wallS: 12.3456,
    setUpS: 1,
    warmUpS: 2,
    createS: 9.3456,
    processes: forEachProcess((name) => ({
      pid: name.length,
      cpuS: 1.5,
      rssKiB: 102_400,
      sharedKiB: 2048,
    })),
    othersCpuS: 0.5,
    cpu: [200, 1000].map((guests) => ({
      guests,
      msPerGuest: forEachProcess(() => guests / 1000),
    })),
    idle: undefined,
    work: undefined,
    deaths: undefined,
    logDir: '/logs',
    runDir: '/run/of/it',
    ...changes,
  }
}
