import { encodeEnvelope, type Envelope } from '../../src/store/envelope.ts'

/** The bytes of an entry with its instants, which the script that stores it would set. */
export function sealed(envelope: Envelope): Buffer {
  const bytes = Buffer.from(encodeEnvelope(envelope))
  const instants = [envelope.freshUntil, envelope.staleUntil, envelope.errorUntil]
  bytes.write(instants.map((at) => String(Math.round(at)).padStart(13, '0')).join(' '), 5, 'latin1')
  return bytes
}
