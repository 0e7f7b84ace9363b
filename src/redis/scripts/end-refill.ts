/**
 * Lua functions that end a refill. They need `tagsOf` and `isUntagged`, `handOff` and `touchTag`.
 *
 *     isStillGood(leaseKey, lastKey, token, hasRunOut)
 *         whether a refill may still be ended: the caller has its lease; or the lease has run out by the caller's clock
 *         ('1'), but nobody has taken it and nothing has changed the entry since
 *     areTagsChanged(bytes, tagKeys, ms)
 *         whether one of the tags of the envelope was invalidated or expired since its load began. Their keys are kept for
 *         at least `ms`. Always false if `tagKeys` is '': then the caller checks tags.
 *     freeLease(leaseKey, lastKey, queueKey, counts)
 *         frees the lease, which a `Locker` may wait for
 */
export const endRefill: string = `
local function isStillGood(leaseKey, lastKey, token, hasRunOut)
  local holder = redis.call('GET', leaseKey)
  return holder == token or (not holder and hasRunOut ~= '' and redis.call('GET', lastKey) == token)
end
local function areTagsChanged(bytes, tagKeys, ms)
  if tagKeys == '' or isUntagged(bytes) then return false end
  local isChanged = false
  for _, tag in ipairs(tagsOf(bytes)) do
    isChanged = touchTag(tagKeys .. tag[1] .. '}', math.max(ms, 1000)) >= tag[2] or isChanged
  end
  return isChanged
end
local function freeLease(leaseKey, lastKey, queueKey, counts)
  redis.call('DEL', lastKey)
  if not handOff(leaseKey, queueKey, counts) then redis.call('DEL', leaseKey) end
end
`
