export interface ProducedRecord {
  partition: number;
  key: string | null;
  value: string | Buffer;
  headers: Record<string, string>;
}

/** The client sends all records of a partition as one batch, and a broker refuses one of more than 1 MiB by default. */
const PARTITION_BYTES = 768 * 1_024;
/** Of all partitions together: what a broker has to take in before it answers. */
const PORTION_BYTES = 8 * 1_024 * 1_024;
/** Of a record, beside key, value and headers; a generous guess. */
const FRAME_BYTES = 64;

/** Cuts what is to be sent into portions that brokers take, keeping the order. A record that is too large stands alone in its partition. */
export function portionsOf(records: readonly ProducedRecord[]): ProducedRecord[][] {
  const portions: ProducedRecord[][] = [];
  let portion: ProducedRecord[] = [];
  let sizes = new Map<number, number>();
  let total = 0;
  for (const record of records) {
    const bytes = bytesOf(record);
    const before = sizes.get(record.partition) ?? 0;
    const tooMuch = (before > 0 && before + bytes > PARTITION_BYTES) || total + bytes > PORTION_BYTES;
    if (tooMuch && portion.length > 0) {
      portions.push(portion);
      portion = [];
      sizes = new Map();
      total = 0;
    }
    portion.push(record);
    sizes.set(record.partition, (sizes.get(record.partition) ?? 0) + bytes);
    total += bytes;
  }
  if (portion.length > 0) portions.push(portion);
  return portions;
}

function bytesOf({ key, value, headers }: ProducedRecord): number {
  let bytes = FRAME_BYTES + Buffer.byteLength(key ?? '') + Buffer.byteLength(value);
  for (const [name, header] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(header);
  return bytes;
}
