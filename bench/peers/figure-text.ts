/** Figures as people read them: three digits, or two of what is small. */
import type { Spread } from '../report/median.ts'

const STEPS = [
  { from: 1e6, letter: 'M' },
  { from: 1e4, letter: 'k' },
] as const
const SIZES = { M: 1e6, k: 1e3 } as const

/** `9.57`, `95.7`, `9570`, `95.7k`, `1.20M`. */
export function figureText(value: number): string {
  const step = stepOf(value)
  return step === undefined ? digits(value) : `${digits(value / SIZES[step.letter])}${step.letter}`
}

/** `95.7k 93.1–99.8`: the middle one, and the range, in the same unit. */
export function spreadText({ median, min, max }: Spread): string {
  const step = stepOf(median)
  const size = step === undefined ? 1 : SIZES[step.letter]
  return `${figureText(median)} ${digits(min / size)}–${digits(max / size)}`
}

/** `1.32×`. */
export function timesText(value: number): string {
  return `${figureText(value)}×`
}

function stepOf(value: number): (typeof STEPS)[number] | undefined {
  return STEPS.find(({ from }) => Math.abs(value) >= from)
}

function digits(value: number): string {
  const size = Math.abs(value)
  if (size >= 100 || size === 0) return value.toFixed(0)
  if (size >= 0.1) return value.toFixed(size >= 10 ? 1 : 2)
  return value.toFixed(size >= 0.01 ? 3 : 4)
}
