/** Runs claims one after another in plain node and prints TAP, for where no test runner is. */
import type { Claim } from './machine.ts'

const CLAIM_TIMEOUT_MS = 60_000

/** Runs all, also after one has failed. @returns true when none failed */
export async function runClaims(claims: readonly Claim[]): Promise<boolean> {
  let failures = 0
  for (const [index, { name, body }] of claims.entries()) {
    const line = `${index + 1} - ${name}`
    try {
      await inTime(body())
      console.log(`ok ${line}`)
    } catch (error) {
      failures++
      console.log(`not ok ${line}`)
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      console.log(text.replace(/^/gm, '# '))
    }
  }
  console.log(`1..${claims.length}`)
  return failures === 0
}

async function inTime(body: void | Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('took too long')), CLAIM_TIMEOUT_MS)
  })
  try {
    await Promise.race([body, limit])
  } finally {
    clearTimeout(timer)
  }
}
