const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')

const IMF_FIXDATE = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i

/**
 * Milliseconds since 1970 of an HTTP date in any of its three formats (RFC 9110 section 5.6.7), or undefined.
 * `Date.parse` is too tolerant for a cache: it reads `0` as the year 2000.
 *
 * @param now decides the century of a two-digit year: one that seems over 50 years ahead lies in the past.
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  let match = IMF_FIXDATE.exec(text)
  if (match) return instant(match[3], match[2], match[1], match[4], match[5], match[6])
  match = RFC_850.exec(text)
  if (match) {
    // oxlint-disable-next-line no-restricted-globals -- takes an instant apart, asks no clock
    const thisYear = new Date(now).getUTCFullYear()
    let year = thisYear - (thisYear % 100) + Number(match[3])
    if (year > thisYear + 50) year -= 100
    return instant(String(year), match[2], match[1], match[4], match[5], match[6])
  }
  match = ASCTIME.exec(text)
  if (match) return instant(match[6], match[1], match[2], match[3], match[4], match[5])
  return undefined
}

/** The text of an instant, ms since 1970, as HTTP sends it. */
export function formatHttpDate(at: number): string {
  // oxlint-disable-next-line no-restricted-globals -- formats an instant, asks no clock
  return new Date(at).toUTCString()
}

function instant(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  hour: string | undefined,
  minute: string | undefined,
  second: string | undefined,
): number | undefined {
  const monthIndex = MONTHS.indexOf(String(month).toLowerCase())
  // A leap second is allowed. A 30 February would be read as a day in March.
  if (monthIndex < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  // oxlint-disable-next-line no-restricted-globals -- asks no clock
  if (new Date(Date.UTC(Number(year), monthIndex, Number(day))).getUTCDate() !== Number(day)) return undefined
  // oxlint-disable-next-line no-restricted-globals -- puts an instant together, asks no clock
  return Date.UTC(Number(year), monthIndex, Number(day), Number(hour), Number(minute), Number(second))
}
