const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const one = new Intl.NumberFormat('en', { maximumFractionDigits: 1, minimumFractionDigits: 1 })

/** @param {number} number */
export function count(number) {
  return number < 100_000 ? whole.format(number) : compact.format(number)
}

/** How often a second. @param {number} number */
export function rate(number) {
  return number > 0 && number < 10 ? one.format(number) : count(number)
}

/** @param {number} share */
export function percent(share) {
  if (Number.isNaN(share)) return '–'
  // Not quite all is not 100 %.
  return `${one.format(share === 1 ? 100 : Math.min(share * 100, 99.9)).replace(/\.0$/, '')} %`
}

/** @param {number} ms */
export function duration(ms) {
  if (ms < 10) return `${one.format(ms)} ms`
  if (ms < 1000) return `${whole.format(ms)} ms`
  if (ms < 60_000) return `${one.format(ms / 1000)} s`
  if (ms < 5_400_000) return `${whole.format(ms / 60_000)} min`
  if (ms < 172_800_000) return `${whole.format(ms / 3_600_000)} h`
  return `${whole.format(ms / 86_400_000)} days`
}

/** @param {number} number */
export function bytes(number) {
  if (number < 1000) return `${number} B`
  if (number < 1e6) return `${one.format(number / 1e3)} kB`
  return number < 1e9 ? `${one.format(number / 1e6)} MB` : `${one.format(number / 1e9)} GB`
}

/** Time of day. @param {number} at ms since 1970 */
export function time(at) {
  return new Date(at).toLocaleTimeString('en', { hour12: false })
}

/**
 * A key or message as it is, but for what one would not see, or what would make others look different: control
 * characters and marks of direction are spelled out.
 * @param {string} text
 */
export function visible(text) {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
