import type { Codec } from '../../store/codec.ts'
import type { Possession } from '../../store/endings.ts'
import type { ReadEntry } from '../../store/entry.ts'
import type { Claim, ClaimTerms } from '../../store/redis-store.ts'
import type { RedisMember } from './member.ts'

/*
 * Several instances take part while a fleet moves from one to another. Meanwhile other processes know only the first, or
 * only the last, and their changes show in no other instance. So a value counts only if all instances have it. If they
 * differ, it is loaded again, and stored in all.
 */

/**
 * Claims in every instance, in order. The lease is taken in all or in none: if one refuses, those taken are given back in
 * reverse order.
 */
export async function claimAll<V>(
  members: readonly RedisMember[],
  key: string,
  token: string,
  lockTtl: number,
  codec: Codec<V>,
  { freshBeyond, takesOver }: ClaimTerms,
): Promise<Claim<V>> {
  const first = await claimEach(members, key, token, lockTtl, codec, { freshBeyond, takesOver })
  const refusal = first.find(({ state }) => state !== 'fresh' && state !== 'leased')
  const fresh = first.filter((claim) => claim.state === 'fresh')
  if (refusal === undefined && fresh.length === members.length && agree(fresh)) return fresh[0] as Claim<V>
  if (refusal === undefined && fresh.length === 0) return leaseOf(first)
  giveBack(members, key, token, first)
  if (refusal !== undefined) return refusal.state === 'busy' ? { ...refusal, stale: undefined } : refusal
  // They differ, or only one has expired. What only one has does not count; what all have may be served as stale.
  const second = await claimEach(members, key, token, lockTtl, codec, { freshBeyond: Infinity, takesOver })
  if (second.every(({ state }) => state === 'leased')) return leaseOf(second)
  giveBack(members, key, token, second)
  const busy = second.at(-1) as Claim<V>
  return busy.state === 'busy' ? { ...busy, stale: undefined } : UNAVAILABLE
}

/** The stored entry of the key, fresh or stale, if all instances have the same. */
export async function readAll<V>(
  members: readonly RedisMember[],
  key: string,
  codec: Codec<V>,
): Promise<ReadEntry<V> | undefined> {
  const found = await Promise.all(members.map((member) => member.attempt((store) => store.read(key, codec))))
  const known = found.filter((each) => each !== undefined)
  return known.length === members.length && agree(known) ? earliest(known.map(({ entry }) => entry)) : undefined
}

/** Claims in one instance after the other, until one refuses. */
async function claimEach<V>(
  members: readonly RedisMember[],
  key: string,
  token: string,
  lockTtl: number,
  codec: Codec<V>,
  terms: ClaimTerms,
): Promise<Claim<V>[]> {
  const claims: Claim<V>[] = []
  for (const { store } of members) {
    const claim = await store.claim(key, () => token, lockTtl, codec, terms)
    claims.push(claim)
    if (claim.state !== 'fresh' && claim.state !== 'leased') break
  }
  return claims
}

function leaseOf<V>(claims: readonly Claim<V>[]): Claim<V> & { readonly state: 'leased' } {
  const leased = claims.filter((claim) => claim.state === 'leased')
  const possessions: Possession[] = leased.flatMap((claim) => claim.possessions)
  if (!agree(leased)) return { state: 'leased', stale: undefined, payload: undefined, possessions }
  const stale = earliest(leased.flatMap((claim) => claim.stale ?? []))
  return { state: 'leased', stale, payload: leased[0]?.payload, possessions }
}

function giveBack<V>(members: readonly RedisMember[], key: string, token: string, claims: readonly Claim<V>[]): void {
  const taken = members.filter((_, index) => claims[index]?.state === 'leased').toReversed()
  for (const { store } of taken) store.endings.abandon(key, { token, hasRunOut: false }).catch(() => {})
}

function agree(found: readonly { readonly payload: Uint8Array | undefined }[]): boolean {
  const [first] = found
  return found.every(({ payload }) => {
    return payload !== undefined && first?.payload !== undefined && Buffer.compare(payload, first.payload) === 0
  })
}

function earliest<V>(entries: readonly ReadEntry<V>[]): ReadEntry<V> | undefined {
  return entries.reduce((one, other) => (other.freshUntil < one.freshUntil ? other : one))
}

const UNAVAILABLE = { state: 'unavailable' } as const
