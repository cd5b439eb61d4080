import { sendNotify } from '../addon.ts'

/**
 * Tells the service manager what has become of us; nothing happens when none asked to be told.
 *
 * @param state lines of `NAME=value`: `READY=1`, `STATUS=…`, `STOPPING=1`
 * @see sd_notify(3)
 */
export function notify(state: string, env: NodeJS.ProcessEnv = process.env): void {
  const socket = env.NOTIFY_SOCKET
  if (socket !== undefined && socket !== '') sendNotify(socket, state)
}
