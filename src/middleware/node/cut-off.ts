import type { ServerResponse } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'

/** Ends an answer so that its client sees that it is incomplete. */
export function cutOff(res: ServerResponse): void {
  const { stream } = res as { stream?: ServerHttp2Stream }
  // An HTTP/2 stream that is destroyed without an error seems to end properly.
  if (stream === undefined) res.destroy()
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR)
}
