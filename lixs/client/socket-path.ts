import { join } from 'node:path'

const DEFAULT_RUNDIR = '/run/xenstored'

/** Where the daemon listens: $XENSTORED_PATH, else $XENSTORED_RUNDIR/socket, else the usual place. */
export function storeSocketPath(env: NodeJS.ProcessEnv = process.env): string {
  return env.XENSTORED_PATH || join(env.XENSTORED_RUNDIR || DEFAULT_RUNDIR, 'socket')
}
