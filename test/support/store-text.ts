import type { XenstoreClient } from '../../lixs/client/client.ts'

/** Every node of a store with its value and permissions, a line each, sorted. */
export async function storeText(store: XenstoreClient): Promise<string[]> {
  const lines: string[] = []
  const walk = async (path: string): Promise<void> => {
    const [value, perms, names] = await Promise.all([
      store.read(path),
      store.getPerms(path),
      store.directory(path),
    ])
    lines.push(`${path} = "${value}" (${perms.join(',')})`)
    for (const name of names ?? []) await walk(`${path === '/' ? '' : path}/${name}`)
  }
  await walk('/')
  return lines.sort()
}
