import type { ServerResponse } from 'node:http'
import { constants, type ServerHttp2Stream } from 'node:http2'

/** Ends an answer so that its client sees that what it has is not all. */
export function cutOff(res: ServerResponse): void {
  const { stream } = res as { stream?: ServerHttp2Stream }
  // To destroy a stream of HTTP/2 without an error looks like its proper end.
  if (stream === undefined) res.destroy()
  else stream.close(constants.NGHTTP2_INTERNAL_ERROR)
}
