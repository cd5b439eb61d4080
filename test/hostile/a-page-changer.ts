import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'

/** Changes a word of a page all the while, from a thread of its own. */
export interface PageChanger {
  begin(page: ArrayBuffer, byteOffset: number, first: number, second: number): void
  /** @returns how often it was changed */
  end(): number
}

/** Compiles page-changer.c into the folder, and loads it. */
export function buildPageChanger(folder: string): PageChanger {
  const source = join(import.meta.dirname, 'page-changer.c')
  const addon = join(folder, 'page-changer.node')
  const headers = resolve(process.execPath, '../../include/node')
  const flags = ['-O2', '-shared', '-fPIC', '-DNODE_GYP_MODULE_NAME=page_changer', `-I${headers}`]
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', addon, source])
  return createRequire(import.meta.url)(addon) as PageChanger
}
