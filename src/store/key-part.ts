import { crc16 } from '../redis/hash-slot.ts'

/**
 * The part to which a key belongs, of the 65 536 into which changes are divided for processes that hear only of some. So few
 * keys share a part, and yet the numbers of the last messages of all parts take Redis no more than some MB.
 */
export function partOf(key: string): string {
  return String(crc16(key))
}
