import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleCls,
  Global,
  Inject,
  Module,
  type OnApplicationShutdown,
} from '@nestjs/common'

import { createCache } from '../cache/create-cache.ts'
import { checkObject } from '../check.ts'
import { Locker } from '../lock/locker.ts'
import { resolveOptions } from '../middleware/options.ts'
import { Cache } from './cache-token.ts'
import { lockerOf } from './locker-of.ts'
import { type HerdlockOptions, isCache, OPTIONS } from './options.ts'

const Configurable: ConfigurableModuleCls<HerdlockOptions, 'forRoot', 'createHerdlockOptions'> =
  new ConfigurableModuleBuilder<HerdlockOptions>({ optionsInjectionToken: OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createHerdlockOptions')
    .build().ConfigurableModuleClass

/**
 * Gives `Cache` and `Locker` to the whole application, by `HerdlockModule.forRoot(options)`, or
 * `HerdlockModule.forRootAsync({ useFactory, inject, imports })` and Nest's other ways. Closes both when the application
 * shuts down, after the last response. With invalid options the application does not start: TypeError or RangeError.
 */
export class HerdlockModule extends Configurable implements OnApplicationShutdown {
  readonly #options: HerdlockOptions
  readonly #cache: Cache
  readonly #locker: Locker

  constructor(options: HerdlockOptions, cache: Cache, locker: Locker) {
    super()
    this.#options = options
    this.#cache = cache
    this.#locker = locker
  }

  async onApplicationShutdown(): Promise<void> {
    const closing = isCache(this.#options.cache) ? undefined : this.#cache.close()
    await Promise.all([closing, this.#locker.close()])
  }
}

function cacheOf(options: HerdlockOptions): Cache {
  const { cache } = checkObject('options', options) as HerdlockOptions
  checkObject('cache', cache, 'a Cache or the options of one')
  resolveOptions(options.singleFlight ?? {})
  return isCache(cache) ? cache : createCache(cache)
}

Inject(OPTIONS)(HerdlockModule, undefined, 0)
Inject(Cache)(HerdlockModule, undefined, 1)
Inject(Locker)(HerdlockModule, undefined, 2)
Global()(HerdlockModule)
Module({
  providers: [
    { provide: Cache, useFactory: cacheOf, inject: [OPTIONS] },
    { provide: Locker, useFactory: lockerOf, inject: [OPTIONS] },
  ],
  exports: [OPTIONS, Cache, Locker],
})(HerdlockModule)
