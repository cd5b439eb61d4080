import type { XenstoreClient } from '../../lixs/client/client.ts'
import { XenstoreError } from '../../lixs/client/errors.ts'

/** Removes a node and what is below, if it is there: RM says ENOENT when the parent is missing, too. */
export async function removeNode(store: XenstoreClient, path: string): Promise<void> {
  try {
    await store.rm(path)
  } catch (error) {
    if (!(error instanceof XenstoreError && error.errno === 'ENOENT')) throw error
  }
}
