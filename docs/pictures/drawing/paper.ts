/** A picture: an SVG document that reads well in light and in dark, with text that can be selected and read aloud. */
export interface Picture {
  /** Of the file, without `.svg`. */
  readonly name: string
  readonly svg: string
}

export interface Sheet {
  readonly name: string
  readonly title: string
  /** What is to be seen, for those who do not see it. */
  readonly description: string
  readonly width: number
  readonly height: number
  readonly body: readonly string[]
}

/** Classes of shapes and text: [light, dark]. */
const COLOURS: Readonly<Record<string, readonly [string, string]>> = {
  panel: ['fill: #ffffff; stroke: #d0d7de', 'fill: #0d1117; stroke: #30363d'],
  ground: ['fill: #ffffff', 'fill: #0d1117'],
  head: ['fill: #f3f5f7; stroke: #8c959f', 'fill: #21262d; stroke: #6e7681'],
  text: ['fill: #1f2328', 'fill: #e6edf3'],
  note: ['fill: #57606a', 'fill: #9ea7b3'],
  life: ['stroke: #8c959f', 'stroke: #6e7681'],
  line: ['stroke: #57606a', 'stroke: #9ea7b3'],
  'line-tip': ['fill: #57606a', 'fill: #9ea7b3'],
  good: ['stroke: #1a7f37', 'stroke: #3fb950'],
  'good-tip': ['fill: #1a7f37', 'fill: #3fb950'],
  'good-box': ['fill: #dafbe1; stroke: #1a7f37', 'fill: #12351d; stroke: #3fb950'],
  bad: ['stroke: #cf222e', 'stroke: #f85149'],
  'bad-tip': ['fill: #cf222e', 'fill: #f85149'],
  'bad-box': ['fill: #ffebe9; stroke: #cf222e', 'fill: #3c1618; stroke: #f85149'],
  'wait-box': ['fill: #fff3d6; stroke: #9a6700', 'fill: #3b2e0b; stroke: #d29922'],
  rule: ['stroke: #d0d7de', 'stroke: #30363d'],
  plain: ['fill: #afb8c1', 'fill: #57606a'],
  least: ['fill: #d0d7de', 'fill: #3d444d'],
  ours: ['fill: #1a7f37', 'fill: #3fb950'],
}

/** Only those classes and arrow heads are defined that the body uses. */
export function draw({ name, title, description, width, height, body }: Sheet): Picture {
  const drawn = body.join('\n')
  const used = Object.keys(COLOURS).filter((name) => name === 'panel' || drawn.includes(`class="${name}"`))
  const tips = ['line', 'good', 'bad'].filter((kind) => drawn.includes(`url(#${kind})`))
  const rules = (shade: 0 | 1, indent: string): string =>
    [...used, ...tips.map((kind) => `${kind}-tip`)]
      .map((name) => `${indent}.${name} { ${COLOURS[name]?.[shade]} }`)
      .join('\n')
  const heads = tips.map(
    (kind) =>
      `    <marker id="${kind}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">` +
      `<path class="${kind}-tip" d="M0 0 8 4 0 8Z" /></marker>`,
  )
  return {
    name,
    svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="13">
  <title id="title">${escape(title)}</title>
  <desc id="description">${escape(description)}</desc>
  <style>
${rules(0, '    ')}
    @media (prefers-color-scheme: dark) {
${rules(1, '      ')}
    }
  </style>
${heads.length === 0 ? '' : `  <defs>\n${heads.join('\n')}\n  </defs>\n`}  <rect class="panel" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" />
${body.map((line) => `  ${line}`).join('\n')}
</svg>
`,
  }
}

export interface TextStyle {
  readonly class?: 'text' | 'note'
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly bold?: boolean
  readonly size?: number
}

export function text(x: number, y: number, words: string, style: TextStyle = {}): string {
  const { class: kind = 'text', anchor = 'start', bold = false, size } = style
  const attributes = [
    anchor === 'start' ? '' : ` text-anchor="${anchor}"`,
    bold ? ' font-weight="600"' : '',
    size === undefined ? '' : ` font-size="${size}"`,
  ].join('')
  return `<text class="${kind}" x="${x}" y="${y}"${attributes}>${escape(words)}</text>`
}

export function box(kind: string, x: number, y: number, width: number, height: number, radius = 6): string {
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="${radius}" />`
}

export type LineKind = 'line' | 'good' | 'bad'

export function arrow(kind: LineKind, path: string, { dashed = false }: { dashed?: boolean } = {}): string {
  const dashes = dashed ? ' stroke-dasharray="5 4"' : ''
  return `<path class="${kind}" d="${path}" fill="none" marker-end="url(#${kind})"${dashes} />`
}

function escape(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
