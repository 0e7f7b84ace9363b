const SLOTS = 16384

/**
 * The part of a key that Redis hashes: the text between the first `{` and the next `}` if it is not empty, otherwise the
 * whole key.
 */
export function hashedPart(key: string): string {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

/** The lowest number whose slot `isWanted`. There is one, because every slot has a number. */
export function numberInSlots(isWanted: (slot: number) => boolean): string {
  for (let number = 0; ; number++) if (isWanted(hashSlot(String(number)))) return String(number)
}

/** The Cluster slot of a text without regard to hash tags: its CRC16 modulo 16384. */
export function hashSlot(text: string): number {
  return crc16(text) % SLOTS
}

/** CRC16 (XMODEM) of the UTF-8 bytes of a text. */
export function crc16(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  }
  return crc & 0xffff
}
