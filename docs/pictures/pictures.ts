import { architecture } from './architecture.ts'
import { coldHerd } from './cold-herd.ts'
import { crash } from './crash.ts'
import type { Picture } from './drawing/paper.ts'
import { invalidation } from './invalidation.ts'
import { layers } from './layers.ts'
import { migration } from './migration.ts'
import { sharedStream } from './shared-stream.ts'
import { stale } from './stale.ts'
import { states } from './states.ts'
import { tune } from './tune.ts'
import { waiting } from './waiting.ts'

export const pictures: readonly Picture[] = [
  architecture,
  layers,
  coldHerd,
  stale,
  states,
  crash,
  invalidation,
  migration,
  sharedStream,
  waiting,
  tune,
]
