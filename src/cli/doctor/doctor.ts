import type { Address } from '../address.ts'
import type { DoctorRequest } from '../arguments.ts'
import { type Master, mastersOf } from '../cluster-nodes.ts'
import type { Open } from '../clients/library.ts'
import { openNode, type RedisNode } from '../node.ts'
import { type Examination, examine, isRefusal, unanswered } from './examine.ts'
import type { Finding } from './finding.ts'

/** The findings about one of the requested nodes. */
export interface Diagnosis extends Examination {
  /** Host and port, and its role in a Cluster. */
  readonly instance: string
}

/** Examines every Redis that the request names, and every master of a Cluster, in parallel. */
export async function diagnose(request: DoctorRequest, open: Open): Promise<Diagnosis[]> {
  const diagnoses = await Promise.all(request.addresses.map((address) => diagnoseOne(address, request, open)))
  return withoutDuplicates(diagnoses.flat())
}

async function diagnoseOne(address: Address, request: DoctorRequest, open: Open): Promise<Diagnosis[]> {
  const instance = `${address.host}:${address.port}`
  try {
    const node = await openNode(open, address, request.timeout)
    try {
      const masters = await mastersOf(node)
      if (masters !== undefined) return await Promise.all(masters.map((each) => diagnoseMaster(each, request, open)))
      return [{ instance, ...(await examine(node, { ...request, slots: undefined })) }]
    } finally {
      node.close()
    }
  } catch (error) {
    return [notReached(instance, error)]
  }
}

async function diagnoseMaster({ address, slots }: Master, request: DoctorRequest, open: Open): Promise<Diagnosis> {
  const instance = `${address.host}:${address.port} (Cluster)`
  let node: RedisNode | undefined
  try {
    node = await openNode(open, address, request.timeout)
    return { instance, ...(await examine(node, { ...request, slots })) }
  } catch (error) {
    return notReached(instance, error)
  } finally {
    node?.close()
  }
}

function notReached(instance: string, error: unknown): Diagnosis {
  return { instance, findings: [unanswered(error)], runId: undefined, isUnreachable: !isRefusal(error) }
}

/** With one Redis under two URLs, a lock would exclude itself. */
function withoutDuplicates(diagnoses: readonly Diagnosis[]): Diagnosis[] {
  return diagnoses.map((diagnosis, index) => {
    const { runId } = diagnosis
    const first = diagnoses.findIndex((other) => runId !== undefined && other.runId === runId)
    if (first === -1 || first === index || diagnosis.instance.endsWith('(Cluster)')) return diagnosis
    const finding: Finding = {
      ...{ check: 'instance', level: 'fail', said: `this is ${diagnoses[first]?.instance} once more` },
      change: 'name each Redis once: a lock that is taken twice in one excludes itself',
    }
    return { ...diagnosis, findings: [finding, ...diagnosis.findings] }
  })
}
