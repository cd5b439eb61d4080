/** So many are told; one broken link tends to show in many places. */
const FINDINGS_MAX = 50

/** What a check finds wrong, one sentence each. */
export class Findings {
  readonly sentences: string[] = []
  count = 0

  add(sentence: string): void {
    this.count++
    if (this.sentences.length < FINDINGS_MAX) this.sentences.push(sentence)
  }

  /** Notes when a number that is kept differs from what was counted anew. */
  expect(what: string, kept: number, counted: number): void {
    if (kept !== counted) this.add(`${what}: ${kept} are kept, ${counted} counted`)
  }

  /** The same of one of many: no text is made unless something is wrong. */
  expectOf(kind: string, id: number, what: string, kept: number, counted: number): void {
    if (kept !== counted) this.expect(`${kind} ${id}, ${what}`, kept, counted)
  }
}
