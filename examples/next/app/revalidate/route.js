import { revalidatePath, revalidateTag } from 'next/cache'

export async function POST(request) {
  const { searchParams } = new URL(request.url)
  const tag = searchParams.get('tag')
  const path = searchParams.get('path')
  if (tag !== null) revalidateTag(tag, searchParams.has('soon') ? 'max' : { expire: 0 })
  if (path !== null) revalidatePath(path)
  return new Response(null, { status: 204 })
}
