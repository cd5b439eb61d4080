import { describe, expect, it } from 'vitest'
import { attachRequest, parseAttachAnswer } from '../../../consoled/attach/client.ts'
import { domidFrom } from '../../../native/hypervisor.ts'

describe('the attach protocol', () => {
  const domid = domidFrom('7')
  if (domid === undefined) throw new Error('domid')

  it('asks in one line', () => {
    expect(attachRequest(domid)).toBe('attach 7\n')
    expect(attachRequest(domid, { writes: 'no', isExact: true, tailBytes: 100, from: 5 })).toBe(
      'attach 7 ro exact tail=100 from=5\n',
    )
    expect(attachRequest(domid, { writes: 'exclusive', by: 'me' })).toBe(
      'attach 7 exclusive by=me\n',
    )
  })

  it('waits for the whole answer line', () => {
    expect(parseAttachAnswer(Buffer.from('o'))).toBeUndefined()
  })

  it('says where the console begins', () => {
    expect(parseAttachAnswer(Buffer.from('ok 17\nboot'))).toEqual({
      kind: 'ok',
      length: 6,
      text: '17',
    })
  })

  it('gives the sentence of a refusal', () => {
    expect(parseAttachAnswer(Buffer.from('error there is no domain 7\n'))).toEqual({
      kind: 'error',
      message: 'there is no domain 7',
    })
  })
})
