/** The daemon broke a promise; the message says which, and after what. */
export class Violation extends Error {
  override readonly name = 'Violation'
}
