/** Whether the middleware answered from the cache, as its `Cache-Status` (RFC 9211) says. */
export const isHit = ({ headers }: { headers: Record<string, unknown> }): boolean =>
  String(headers['cache-status']).includes('; hit')
