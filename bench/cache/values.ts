/** A value of about `size` bytes: as text when it is what JSON can say, else a Buffer. */
export function valueOf(key: string, size: number, bytes: boolean): unknown {
  if (bytes) return Buffer.alloc(size, key)
  if (size === 0) return { n: key.length }
  const record = (index: number): object => ({
    id: index,
    key,
    name: 'Ada Lovelace',
    active: index % 2 === 0,
    score: index * 1.5,
    tags: ['one', 'two'],
  })
  if (size <= 200) return record(1)
  const each = JSON.stringify(record(10_000)).length + 1
  return Array.from({ length: Math.ceil(size / each) }, (_, index) => record(index))
}
