/** What consoled watches in the store. */
import { type Domid, domidFrom } from '../../native/hypervisor.ts'
import type { KeyReader } from './console-keys.ts'

/** A watch that was registered. */
export interface StoreWatch {
  unwatch(): Promise<void>
}

/** What is needed of a connection to the store; `XenstoreClient` has it. */
export interface ConsoleStore extends KeyReader {
  write(path: string, value: string): Promise<void>
  /** The handler's first call comes at once, without any change. */
  watch(path: string, handler: (path: string) => void, depth?: number): Promise<StoreWatch>
  /** With depth 1 the events about domains say which domain it was. */
  offersWatchDepth(): Promise<boolean>
}

/** A watch that tells of changes only: its first event, which comes at once, is left out. */
export function watchChanges(
  store: ConsoleStore,
  path: string,
  changed: (path: string) => void,
  depth?: number,
): Promise<StoreWatch> {
  let isFirst = true
  const handler = (changedPath: string): void => {
    if (isFirst) isFirst = false
    else changed(changedPath)
  }
  return store.watch(path, handler, depth)
}

/** The same for `@introduceDomain` or `@releaseDomain`, whose events are `@releaseDomain/7` then. */
export function watchDomains(
  store: ConsoleStore,
  path: string,
  changed: (domid: Domid) => void,
): Promise<StoreWatch> {
  return watchChanges(
    store,
    path,
    (changedPath) => {
      const domid = domidFrom(changedPath.slice(path.length + 1))
      if (domid !== undefined) changed(domid)
    },
    1,
  )
}
