/**
 * `npm start`: a simulated Xen, lixs, consoled and xcld on it, and ten thousand guests, on any machine
 * with Node and a compiler.
 *
 *   npm start -- [--guests N] [--devices vif,vbd] [--exit] [--json FILE] …       (--help lists all)
 *
 * However it ends, nothing is left: the processes are ours and end with us, the folder of the run is
 * removed, shared memory has no name. Exit codes: 0; 1 for errors; 2 for wrong usage; 128 and the
 * signal's number when one ended it.
 */

/** Also what goes wrong while modules are loaded, as a missing addon, is a sentence. */
async function main(): Promise<number> {
  try {
    const { start } = await import('./program.ts')
    return await start(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

process.exit(await main())
