import { connect } from 'node:net';

const LOCAL = '127.0.0.1';
const TIMEOUT_MS = 1_000;
const METADATA = 3;
const METADATA_VERSION = 4;
const CLIENT_ID = 'ready';
const NONE = 0;

/** Whether a Redis answers commands, which it does not while it reads its files. */
export async function redisAnswers(port: number, host = LOCAL): Promise<boolean> {
  const answer = await exchange({ port, host }, Buffer.from('PING\r\n'), (bytes) => bytes.includes('\r\n'));
  return answer?.toString('latin1').startsWith('+PONG') === true;
}

/** The ids of the brokers that this one knows to be alive; none while it does not serve clients. */
export async function kafkaBrokerIds(port: number, host = LOCAL): Promise<number[]> {
  const isWhole = (bytes: Buffer): boolean => bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0);
  const answer = await exchange({ port, host }, metadataRequest(), isWhole);
  return answer === undefined ? [] : readBrokerIds(answer);
}

/** Metadata of no topic, in version 4 of Apache Kafka's protocol guide: lengths before everything, big endian. */
function metadataRequest(): Buffer {
  const size = 2 + 2 + 4 + 2 + CLIENT_ID.length + 4 + 1;
  const request = Buffer.alloc(4 + size);
  let offset = request.writeInt32BE(size, 0);
  offset = request.writeInt16BE(METADATA, offset);
  offset = request.writeInt16BE(METADATA_VERSION, offset);
  offset = request.writeInt32BE(NONE, offset);
  offset = request.writeInt16BE(CLIENT_ID.length, offset);
  offset += request.write(CLIENT_ID, offset, 'latin1');
  // The number of topics, and that none is to be created.
  offset = request.writeInt32BE(NONE, offset);
  request.writeInt8(NONE, offset);
  return request;
}

/** Behind the size, the correlation id and the throttle time: an array of id, host, port and rack. */
function readBrokerIds(answer: Buffer): number[] {
  let offset = 12;
  const count = answer.readInt32BE(offset);
  offset += 4;
  const skipString = (): void => {
    offset += 2 + Math.max(0, answer.readInt16BE(offset));
  };
  return Array.from({ length: count }, () => {
    const id = answer.readInt32BE(offset);
    offset += 4;
    skipString();
    offset += 4;
    skipString();
    return id;
  });
}

/** Undefined when there is no whole answer in time. */
async function exchange(where: { host: string; port: number }, request: Buffer, isWhole: (bytes: Buffer) => boolean): Promise<Buffer | undefined> {
  const socket = connect(where);
  try {
    return await new Promise((resolve) => {
      let bytes = Buffer.alloc(0);
      socket.setTimeout(TIMEOUT_MS, () => resolve(undefined));
      socket.once('error', () => resolve(undefined));
      socket.once('close', () => resolve(undefined));
      socket.once('connect', () => socket.write(request));
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        if (isWhole(bytes)) resolve(bytes);
      });
    });
  } finally {
    socket.destroy();
  }
}
