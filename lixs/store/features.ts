/**
 * What the server can do beyond the first protocol, as bits of `server_features` and of GET_FEATURE.
 *
 * @see xen/include/public/io/xs_wire.h, XENSTORE_SERVER_FEATURE_…
 */

/** A guest may ask for a new beginning: `connection` = 1 in its ring's page. */
const FEATURE_RECONNECTION = 1
/** The `error` word of the page is written. */
const FEATURE_ERROR = 2
/** WATCH takes a depth; special events with the domain's number. */
export const FEATURE_WATCH_DEPTH = 4
/** A permission may name DOMID_ANY. */
export const FEATURE_DOMID_ANY = 8

/** What lixs offers to whomever SET_FEATURE does not restrict. */
export const SERVER_FEATURES =
  FEATURE_RECONNECTION | FEATURE_ERROR | FEATURE_WATCH_DEPTH | FEATURE_DOMID_ANY
