// Before the first spec on real parts: a keeper of the servers that specs share. It starts none by itself, so that a spec
// that needs none does not wait. Specs find it by TOKONE_TEST_SERVERS, in Jest's workers too.
import { once } from 'node:events';
import { createServer } from 'node:http';

const names = new Set(['kafka', 'redis', 'postgres']);

export default async function setUp() {
  /** @type {Promise<import('./shared-servers.js').SharedServers> | undefined} */
  let servers;
  const keeper = createServer(async (request, response) => {
    const name = request.url?.slice(1) ?? '';
    try {
      if (!names.has(name)) throw new Error(`no server is named ${name}`);
      servers ??= load();
      response.end(await (await servers).address(/** @type {import('./shared-servers.js').ServerName} */ (name)));
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  // Fetching a server for the first time takes longer than a request may.
  keeper.requestTimeout = 0;
  await once(keeper.listen(0, '127.0.0.1'), 'listening');
  const address = /** @type {import('node:net').AddressInfo} */ (keeper.address());
  process.env['TOKONE_TEST_SERVERS'] = `http://127.0.0.1:${address.port}/`;
  const close = async () => {
    keeper.close();
    keeper.closeAllConnections();
    await (await servers)?.close();
  };
  Reflect.set(globalThis, Symbol.for('tokone.test-servers'), close);
  // The servers end without us, their files would stay.
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => void close().finally(() => process.kill(process.pid, name)));
}

/** Jest compiles the specs only, so the sources are compiled here. */
async function load() {
  await import('./typescript-sources.mjs');
  const { SharedServers } = await import('./shared-servers.ts');
  return new SharedServers();
}
