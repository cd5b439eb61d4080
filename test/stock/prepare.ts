import { stockPackages } from './stock-packages.ts'
import { stockPreload } from './stock-preload.ts'

/** Once for all workers: what is fetched and built is there before the first test. */
export async function setup(): Promise<void> {
  await stockPreload(stockPackages())
}
