import { type Channel, channelTo } from './message-channel.ts'

/** The worker's end of the channel to the test that started it. */
export const parent: Channel = channelTo(process, 'the test')

/** Tells the test that this worker is set up. */
export function ready(): void {
  parent.send({ type: 'ready' })
}
