/**
 * A connection to the control socket of a simulated machine: text, one command a line. An answer is
 * lines, the last one `ok` or `error SENTENCE`. On a connection that listens every line after the
 * answer is news.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

interface Waiting {
  readonly lines: string[]
  readonly resolve: (lines: string[]) => void
  readonly reject: (error: Error) => void
}

export class ControlLink {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  readonly #onNews: (words: string[]) => void
  #rest = ''

  private constructor(socket: Socket, onNews: (words: string[]) => void) {
    this.#socket = socket
    this.#onNews = onNews
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => this.#read(text))
    // What ended it does not matter: whoever waits hears that the machine is not there any more.
    socket.on('error', () => {})
    socket.on('close', () => this.#end())
  }

  /**
   * @param onNews called with the words of each line that answers nothing
   * @throws Error when nobody listens at the socket
   */
  static async open(path: string, onNews: (words: string[]) => void): Promise<ControlLink> {
    const socket = connect(path)
    await once(socket, 'connect')
    return new ControlLink(socket, onNews)
  }

  /**
   * @returns the lines of the answer without the last one
   * @throws Error with the sentence that the machine answers, or when it has gone
   */
  command(line: string): Promise<string[]> {
    if (line.includes('\n')) throw new Error(`a command is one line: ${JSON.stringify(line)}`)
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(gone())
        return
      }
      this.#waiting.push({ lines: [], resolve, reject })
      this.#socket.write(`${line}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#readLine(line)
  }

  #readLine(line: string): void {
    const waiting = this.#waiting[0]
    if (waiting === undefined) {
      this.#onNews(line.split(' '))
    } else if (line === 'ok') {
      this.#waiting.shift()
      waiting.resolve(waiting.lines)
    } else if (line.startsWith('error ')) {
      this.#waiting.shift()
      waiting.reject(new Error(line.slice('error '.length)))
    } else {
      waiting.lines.push(line)
    }
  }

  #end(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(gone())
  }
}

function gone(): Error {
  return new Error('the simulated machine has gone')
}
