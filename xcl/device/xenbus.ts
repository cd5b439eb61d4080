/**
 * States of the two halves of a device, as both keep them in their node `state`.
 *
 * @see xen/include/public/io/xenbus.h
 */
const XENBUS_STATES = [
  'Unknown',
  'Initialising',
  'InitWait',
  'Initialised',
  'Connected',
  'Closing',
  'Closed',
  'Reconfiguring',
  'Reconfigured',
] as const
export type XenbusState = (typeof XENBUS_STATES)[number]

/** @returns undefined when it is none, as of a node that is not there */
export function xenbusState(value: string | undefined): XenbusState | undefined {
  return value === undefined || value === '' ? undefined : XENBUS_STATES[Number(value)]
}

/** As it stands in the node. */
export function stateValue(state: XenbusState): string {
  return String(XENBUS_STATES.indexOf(state))
}
