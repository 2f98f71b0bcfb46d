/** A partition of one log: of this cluster, and of no other one that has a topic of that name. */
export interface LogPartition {
  clusterId: string;
  /** Real name, the prefix included. */
  topic: string;
  partition: number;
}

/** Under which a cursor is stored. */
export function writePartitionName({ clusterId, topic, partition }: LogPartition): string {
  return `${clusterId}:${topic}/${partition}`;
}

/** The number of the partition in its topic. */
export function partitionNumberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('/') + 1));
}
