import type { XenstoreClient } from '../../lixs/client/client.ts'
import { XenstoreError } from '../../lixs/client/errors.ts'

/**
 * Every node of a store with its value and permissions, a line each, sorted. What goes while the store is
 * read is left out.
 */
export async function storeText(store: XenstoreClient): Promise<string[]> {
  const lines: string[] = []
  const walk = async (path: string): Promise<void> => {
    const [value, perms, names] = await Promise.all([
      store.read(path),
      store.getPerms(path).catch(gone),
      store.directory(path),
    ])
    if (perms === undefined) return
    lines.push(`${path} = "${value}" (${perms.join(',')})`)
    for (const name of names ?? []) await walk(`${path === '/' ? '' : path}/${name}`)
  }
  await walk('/')
  return lines.sort()
}

function gone(error: unknown): undefined {
  if (!(error instanceof XenstoreError) || error.errno !== 'ENOENT') throw error
}
