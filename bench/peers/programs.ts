/** The load, the floor and the probe: compiled when what they are made of has changed. */
import { compiled, MACHINE_CODE, PROCESS_START, type Recipe } from '../compiled.ts'

const LOAD: Recipe = {
  name: 'load',
  folder: 'bench/peers/load',
  sources: [],
  headers: [PROCESS_START],
  flags: [],
}

const FLOOR: Recipe = {
  name: 'floor',
  folder: 'bench/peers/floor',
  sources: MACHINE_CODE.sources,
  headers: [PROCESS_START, 'bench/peers/load/wire.h', ...MACHINE_CODE.headers],
  flags: [],
}

const PROBE: Recipe = {
  name: 'turns.so',
  folder: 'bench/peers/probe',
  sources: [],
  headers: [],
  flags: ['-fPIC', '-shared', '-static-libstdc++', '-static-libgcc', '-ldl'],
}

/** Paths of what was compiled. */
export interface Programs {
  readonly load: string
  readonly floor: string
  /** Loaded into a daemon, measures the turns of its loop. */
  readonly probe: string
}

/** @throws Error with what the compiler says */
export async function programs(): Promise<Programs> {
  const [load, floor, probe] = await Promise.all([compiled(LOAD), compiled(FLOOR), compiled(PROBE)])
  return { load, floor, probe }
}
