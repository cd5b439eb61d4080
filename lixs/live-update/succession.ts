import { becomeProgram } from '../../native/os/exec.ts'
import type { PidFile } from '../../native/os/pidfile.ts'

/** How this process becomes another program. */
export interface Succession {
  readonly stateFile: string
  /** Stays locked; -1: there is none. */
  readonly pidFileFd: number
  /**
   * @param program undefined: the one that runs
   * @param commandLine in place of the arguments that this one was started with; split at blanks
   * @param keptOpen descriptors that it finds open
   * @throws XenError when it cannot be started; this one goes on
   */
  become(
    program: string | undefined,
    commandLine: string | undefined,
    keptOpen: readonly number[],
  ): never
}

/** By this the next program knows what it is to do. */
const LIVE_UPDATE = ['-U', '--live-update']

/** @param folder where relative paths on the command line begin */
export function successionOf(
  folder: string,
  stateFile: string,
  pidFile: PidFile | undefined,
): Succession {
  return {
    stateFile,
    pidFileFd: pidFile?.fd ?? -1,
    become(program, commandLine, keptOpen) {
      const given = commandLine?.split(' ').filter(Boolean) ?? process.argv.slice(2)
      const words = [...given.filter((word) => !LIVE_UPDATE.includes(word)), '-U']
      const self = [process.execPath, ...process.execArgv, process.argv[1] ?? '']
      const path = program ?? process.execPath
      const args = program === undefined ? [...self, ...words] : [program, ...words]
      pidFile?.handOver()
      try {
        return becomeProgram({ path, args, env: process.env, folder, keptOpen })
      } finally {
        pidFile?.takeBack()
      }
    },
  }
}
