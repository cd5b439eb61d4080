/**
 * The little language inside an element of `vif` and `disk`: items between commas, most of them
 * `key=value`. What the keys mean is vif-spec.ts's and disk-spec.ts's.
 */
import { ConfigError, type ConfigPlace } from '../output/errors.ts'
import type { ConfigElement, ConfigOption } from './xl-cfg.ts'

/** One item, and where it stands. */
export interface SpecItem {
  /** Undefined when there is no `=` in it. */
  readonly key: string | undefined
  /** What stands behind the `=`; without one, the whole item. */
  readonly value: string
  readonly place: ConfigPlace
}

/**
 * The elements of a device option; none when the option is missing or empty.
 * @throws ConfigError when the option is no list of strings
 */
export function deviceElements(
  option: ConfigOption | undefined,
): { readonly text: string; readonly place: ConfigPlace }[] {
  if (option === undefined || (option.value.kind !== 'list' && option.value.text === '')) return []
  const { name, value, place, elements } = option
  if (value.kind !== 'list') {
    throw new ConfigError(`${name}: expected a list`, place, `${name} = [ "…" ]`)
  }
  return elements.map((element) => ({ text: textOf(name, element), place: element.place }))
}

function textOf(name: string, { value, place }: ConfigElement): string {
  if (value.kind === 'string') return value.text
  throw new ConfigError(`${name}: expected a string in quotes`, place)
}

/**
 * The items of one element, without blanks around them; an element without text has one empty item.
 * @param greedyKey takes the rest of the text as its value, commas and all
 */
export function specItems(text: string, place: ConfigPlace, greedyKey?: string): SpecItem[] {
  const items: SpecItem[] = []
  let at = 0
  while (at <= text.length) {
    const begin = at + (/^[ \t\n]*/.exec(text.slice(at))?.[0].length ?? 0)
    const comma = text.indexOf(',', begin)
    const isGreedy = greedyKey !== undefined && text.startsWith(`${greedyKey}=`, begin)
    const end = isGreedy || comma < 0 ? text.length : comma
    items.push(itemOf(text.slice(begin, end).trimEnd(), placeInside(place, text, begin)))
    at = end + 1
  }
  return items
}

function itemOf(text: string, place: ConfigPlace): SpecItem {
  const sign = text.indexOf('=')
  if (sign < 0) return { key: undefined, value: text, place }
  return { key: text.slice(0, sign).trimEnd(), value: text.slice(sign + 1).trimStart(), place }
}

/** Inside the quotes; at the element itself when escapes make the two texts differ. */
function placeInside(place: ConfigPlace, text: string, offset: number): ConfigPlace {
  const isAsWritten = place.text.startsWith(text, place.column)
  return isAsWritten ? { ...place, column: place.column + 1 + offset } : place
}
