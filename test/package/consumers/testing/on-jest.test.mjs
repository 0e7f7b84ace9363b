import { inMemory, overRedis } from './recipe.mjs'

test('in memory', inMemory)
test('over Redis', overRedis)
