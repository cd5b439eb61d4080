/** Figures that rows are made of. */
import type { Row, Unit } from './scenario.ts'

const US_PER_S = 1e6
const MS_PER_S = 1e3

export function p50(name: string): Row {
  return { name, unit: 'µs', figure: ({ latencyUs }) => latencyUs.p50 }
}

export function p50Ms(name: string): Row {
  return { name, unit: 'ms', figure: ({ latencyUs }) => latencyUs.p50 / 1000 }
}

export function p99(name: string): Row {
  return { name, unit: 'µs', figure: ({ latencyUs }) => latencyUs.p99 }
}

/** How many times as long as with one guest. */
export function slowdown(name: string): Row {
  return {
    name,
    unit: '×',
    figure: ({ latencyUs }, bare) => latencyUs.p50 / bare.latencyUs.p50,
  }
}

export function throughput(name: string): Row {
  return {
    name,
    unit: 'op/s',
    isHigherBetter: true,
    figure: ({ operations, seconds }) => operations / seconds,
  }
}

/** Of the daemon, for each operation. */
export function cpu(name: string): Row {
  const figure: Row['figure'] = ({ cpuSeconds, operations }) => (cpuSeconds / operations) * US_PER_S
  return { name, unit: 'µs', figure }
}

export function perCpuSecond(name: string): Row {
  return {
    name,
    unit: 'op/CPU s',
    isHigherBetter: true,
    figure: ({ cpuSeconds, operations }) => operations / cpuSeconds,
  }
}

/** Of one processor. */
export function cpuShare(name: string): Row {
  return { name, unit: '%', figure: ({ cpuSeconds, seconds }) => (100 * cpuSeconds) / seconds }
}

export function duration(name: string): Row {
  return { name, unit: 'ms', figure: ({ seconds }) => seconds * MS_PER_S }
}

export function retries(name: string): Row {
  return { name, unit: '', figure: (sample) => sample.retries / sample.operations }
}

/** A figure that only one measure finds. */
export function only(name: string, unit: Unit, key: 'rssMb' | 'longestTurnMs'): Row {
  return { name, unit, figure: (sample) => sample[key] ?? Number.NaN }
}
