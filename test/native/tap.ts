/** Claims that run one after another in plain node and print TAP, for where no test runner is. */

interface Claim {
  readonly name: string
  readonly body: () => void | Promise<void>
}

const CLAIM_TIMEOUT_MS = 60_000

export class Claims {
  readonly #claims: Claim[] = []

  claim(name: string, body: () => void | Promise<void>): void {
    this.#claims.push({ name, body })
  }

  /** Runs all, also after one has failed. @returns true when none failed */
  async run(): Promise<boolean> {
    let failures = 0
    for (const [index, { name, body }] of this.#claims.entries()) {
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
    console.log(`1..${this.#claims.length}`)
    return failures === 0
  }
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
