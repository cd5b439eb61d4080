/** What all charts are drawn with. */

/** How many steps an axis has, at most. */
const STEPS = 6

/** 1, 2 or 5 times a power of ten, so that a range has at most STEPS of it. */
export function roundStep(range: number): number {
  const power = 10 ** Math.floor(Math.log10(range / STEPS))
  return power * ([1, 2, 5].find((factor) => range / (power * factor) <= STEPS) ?? 10)
}

/** @param attributes as they stand in the element: `fill="#fff"` */
export function svgText(x: number, y: number, content: string, attributes: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" ${attributes}>${escaped}</text>`
}
