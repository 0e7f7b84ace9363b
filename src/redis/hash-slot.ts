const SLOTS = 16384

/** The Cluster slot of a text without regard to hash tags: CRC16 (XMODEM) of its UTF-8 bytes modulo 16384. */
export function hashSlot(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  }
  return (crc & 0xffff) % SLOTS
}
