/** Whether a response with that Content-Type is a stream of server-sent events (WHATWG HTML, section 9.2). */
export function isEventStream(contentType: string | undefined): boolean {
  return /^\s*text\/event-stream\s*(;|$)/i.test(contentType ?? '')
}

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const FIELD = Buffer.from('id:')

/**
 * Where an event stream goes on after the event with this id. Of several, the first one that is complete counts. 0 if there
 * is none: then the client must begin at the first event. `id` is a Last-Event-ID as Node has it.
 */
export function placeAfterEvent(body: Buffer, id: string): number {
  const wanted = Buffer.from(id, 'latin1')
  if (wanted.length === 0) return 0
  for (let at = body.indexOf(FIELD); at >= 0; at = body.indexOf(FIELD, at + 1)) {
    if (at > 0 && !isLineEnd(body[at - 1])) continue
    const valueAt = at + FIELD.length + (body[at + FIELD.length] === SPACE ? 1 : 0)
    const end = valueAt + wanted.length
    if (!isLineEnd(body[end]) || wanted.compare(body, valueAt, end) !== 0) continue
    const next = afterBlankLine(body, end)
    if (next !== undefined) return next
  }
  return 0
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === CR || byte === LF
}

/** Where the line after the next blank one begins. `at` is the end of a line. */
function afterBlankLine(body: Buffer, at: number): number | undefined {
  let start = afterLineEnd(body, at)
  for (let index = start; index < body.length; index++) {
    if (!isLineEnd(body[index])) continue
    const next = afterLineEnd(body, index)
    if (index === start) return next
    start = next
    index = next - 1
  }
  return undefined
}

/** A line ends with CR, LF, or both. */
function afterLineEnd(body: Buffer, at: number): number {
  return body[at] === CR && body[at + 1] === LF ? at + 2 : at + 1
}
