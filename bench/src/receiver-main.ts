// An OTLP receiver's stand-in: takes spans and throws them away. A process of its own; ends with its parent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => void request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()));
server.listen({ host: '127.0.0.1', port: 0 }, () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
