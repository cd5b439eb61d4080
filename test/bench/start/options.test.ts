import { describe, expect, test } from 'vitest'
import {
  OPTIONS,
  type OptionName,
  optionsFrom,
  type StartOptions,
} from '../../../bench/start/options.ts'
import { parseCommandLine } from '../../../native/os/command-line.ts'

function options(...argv: string[]): StartOptions {
  return optionsFrom(parseCommandLine<OptionName>(OPTIONS, argv, {}))
}

describe('the command line of npm start', () => {
  test('without any flag it is ten thousand guests that stay up', () => {
    expect(options()).toMatchObject({
      guests: 10_000,
      warmUp: 500,
      devices: [],
      isExit: false,
      jsonFile: undefined,
      idleS: 0,
      workS: 0,
      die: 0,
    })
  })

  test('files are meant from where it was started', () => {
    expect(options('--json', 'out.json').jsonFile).toBe(`${process.cwd()}/out.json`)
  })

  test('devices are a list, in whatever order', () => {
    expect(options('--devices', 'vbd,vif').devices).toEqual(['vif', 'vbd'])
    expect(() => options('--devices', 'vif,usb')).toThrow('--devices: "usb" is none of vif, vbd')
  })

  test('no more guests can die than there are', () => {
    expect(options('--guests', '5', '--die', '5').die).toBe(5)
    expect(() => options('--guests', '5', '--die', '6')).toThrow('--die: of 5 guests no 6 can die')
  })

  test('no guest at all is a mistake', () => {
    expect(() => options('--guests', '0')).toThrow('--guests: at least one')
  })
})
