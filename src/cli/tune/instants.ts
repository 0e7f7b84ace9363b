const APACHE_TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** ms since 1970 of `02/Jan/2026:12:00:00 +0200`, the format of Apache and nginx; NaN for anything else. */
export function apacheTime(text: string): number {
  const [, day, month, year, hours, minutes, seconds, sign, offHours, offMinutes] = APACHE_TIME.exec(text) ?? []
  const at = MONTHS.indexOf(month ?? '')
  if (at === -1) return NaN
  const offset = (Number(offHours) * 60 + Number(offMinutes)) * 60_000 * (sign === '-' ? -1 : 1)
  // oxlint-disable-next-line no-restricted-globals -- puts an instant together, asks no clock
  return Date.UTC(Number(year), at, Number(day), Number(hours), Number(minutes), Number(seconds)) - offset
}

/** ms since 1970 of a number (seconds or ms since 1970), or of a text with an ISO 8601 date or such a number. */
export function instant(value: unknown): number {
  if ((typeof value !== 'string' && typeof value !== 'number') || value === '') return NaN
  const number = Number(value)
  // oxlint-disable-next-line no-restricted-globals -- reads an instant, asks no clock
  if (Number.isNaN(number)) return Date.parse(String(value))
  return number < 100_000_000_000 ? number * 1000 : number
}
